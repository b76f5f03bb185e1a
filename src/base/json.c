/* Writing JSON strings. */
#include "base/json.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define REPLACEMENT_CHARACTER 0xfffdu

/* Writes one character that needs an escape; 13 bytes hold two escaped surrogates and NUL. Returns
 * the length. */
static size_t escape_character(char out[static 13], uint32_t code_point)
{
    static const char PLAIN[] = "\"\\\b\f\n\r\t";
    static const char SHORT[] = "\"\\bfnrt";
    const char *found =
        code_point != 0 && code_point < 0x80 ? strchr(PLAIN, (int)code_point) : NULL;
    if (found != NULL) {
        out[0] = '\\';
        out[1] = SHORT[found - PLAIN];
        return 2;
    }
    if (code_point < 0x10000) {
        return (size_t)snprintf(out, 13, "\\u%04x", code_point & 0xffff);
    }
    uint32_t above = code_point - 0x10000; /* 20 bits: two surrogates */
    return (size_t)snprintf(out, 13, "\\u%04x\\u%04x", 0xd800 | ((above >> 10) & 0x3ff),
                            0xdc00 | (above & 0x3ff));
}

/* How many bytes at the front need no escape. */
static size_t plain_length(const char *bytes, size_t len)
{
    size_t at = 0;
    while (at < len && bytes[at] >= 0x20 && bytes[at] < 0x7f && bytes[at] != '"' &&
           bytes[at] != '\\') {
        at++;
    }
    return at;
}

int json_append_string(struct buf *out, const char *bytes, size_t len)
{
    int outcome = buf_append(out, "\"", 1, SIZE_MAX);
    for (size_t at = 0; at < len && outcome == 0;) {
        size_t plain = plain_length(bytes + at, len - at);
        if (plain > 0) {
            outcome = buf_append(out, bytes + at, plain, SIZE_MAX);
            at += plain;
            continue;
        }
        uint32_t code_point = REPLACEMENT_CHARACTER;
        size_t consumed = text_utf8_decode(bytes + at, len - at, &code_point);
        at += consumed > 0 ? consumed : 1;
        char piece[13];
        outcome = buf_append(out, piece, escape_character(piece, code_point), SIZE_MAX);
    }
    return outcome == 0 ? buf_append(out, "\"", 1, SIZE_MAX) : outcome;
}
