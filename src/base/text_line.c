#include "base/text_line.h"

#include <stdbool.h>
#include <string.h>

#define REPLACEMENT UINT32_C(0xfffd)

static size_t encode(uint32_t code_point, char *out)
{
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        out[0] = (char)(0xc0 | code_point >> 6);
        out[1] = (char)(0x80 | (code_point & 0x3f));
        return 2;
    }
    if (code_point < 0x10000) {
        out[0] = (char)(0xe0 | code_point >> 12);
        out[1] = (char)(0x80 | (code_point >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code_point & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code_point >> 18);
    out[1] = (char)(0x80 | (code_point >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code_point >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code_point & 0x3f));
    return 4;
}

/* One unit of UTF-16. A half of a pair without its other becomes U+FFFD; a mark is no text. */
static size_t decode_unit(struct text_decoder *decoder, uint32_t unit, char *out)
{
    uint32_t high = decoder->high;
    decoder->high = 0;
    if (high != 0 && unit >= 0xdc00 && unit < 0xe000) {
        return encode(0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00), out);
    }
    size_t len = high != 0 ? encode(REPLACEMENT, out) : 0;
    if (unit >= 0xd800 && unit < 0xdc00) {
        decoder->high = unit;
        return len;
    }
    if (unit == 0xfeff) {
        return len;
    }
    return len + encode(unit >= 0xdc00 && unit < 0xe000 ? REPLACEMENT : unit, out + len);
}

static enum text_encoding encoding_of(const uint8_t head[static TEXT_HEAD_BYTES])
{
    if (head[0] == 0xff && head[1] == 0xfe) {
        return TEXT_UTF16LE;
    }
    if (head[0] == 0xfe && head[1] == 0xff) {
        return TEXT_UTF16BE;
    }
    bool even_zero = head[0] == 0 && head[2] == 0;
    bool odd_zero = head[1] == 0 && head[3] == 0;
    if (even_zero != odd_zero) {
        return odd_zero ? TEXT_UTF16LE : TEXT_UTF16BE;
    }
    return TEXT_UTF8;
}

static size_t decode_known(struct text_decoder *decoder, uint8_t byte, char *out)
{
    if (decoder->encoding == TEXT_UTF8) {
        out[0] = (char)byte;
        return 1;
    }
    decoder->head[decoder->head_len++] = byte;
    if (decoder->head_len < 2) {
        return 0;
    }
    decoder->head_len = 0;
    unsigned first = decoder->head[0];
    unsigned second = decoder->head[1];
    return decode_unit(
        decoder, decoder->encoding == TEXT_UTF16LE ? second << 8 | first : first << 8 | second,
        out);
}

size_t text_decode(struct text_decoder *decoder, uint8_t byte, char out[static TEXT_DECODED_BYTES])
{
    if (decoder->encoding != TEXT_UNKNOWN) {
        return decode_known(decoder, byte, out);
    }
    decoder->head[decoder->head_len++] = byte;
    if (decoder->head_len < TEXT_HEAD_BYTES) {
        return 0;
    }
    uint8_t head[TEXT_HEAD_BYTES];
    memcpy(head, decoder->head, sizeof(head));
    decoder->encoding = encoding_of(head);
    decoder->head_len = 0;
    size_t len = 0;
    for (size_t i = 0; i < sizeof(head); i++) {
        len += decode_known(decoder, head[i], out + len);
    }
    return len;
}

size_t text_decode_end(struct text_decoder *decoder, char out[static TEXT_DECODED_BYTES])
{
    bool has_mark = decoder->head_len >= 2 && (decoder->head[0] ^ decoder->head[1]) == 1 &&
                    decoder->head[0] >= 0xfe;
    size_t len = decoder->encoding == TEXT_UNKNOWN && !has_mark ? decoder->head_len : 0;
    memcpy(out, decoder->head, len);
    decoder->head_len = 0;
    return len;
}

/* The length of the colour that begins here, or 0. */
static size_t colour_len(const char *at, size_t len)
{
    if (len < 3 || at[0] != '\x1b' || at[1] != '[') {
        return 0;
    }
    size_t end = 2;
    while (end < len && strchr("0123456789;:", at[end]) != NULL && at[end] != '\0') {
        end++;
    }
    return end < len && (at[end] == 'm' || at[end] == 'K') ? end + 1 : 0;
}

/* A zero of UTF-16 or UTF-32 that was read byte by byte, or of a hole in a file, has others beside
 * it or two bytes away. */
static bool has_zero_near(const char *at, size_t len)
{
    return (len > 1 && at[1] == '\0') || (len > 2 && at[2] == '\0');
}

/* Takes the zeros out, or shows them: the rest of the line stays as it is. */
static size_t take_zeros_out(char *line, size_t len)
{
    char before[2] = {'x', 'x'}; /* what stood before, as it was */
    size_t kept = 0;
    for (size_t at = 0; at < len; at++) {
        char c = line[at];
        bool is_lone =
            before[0] != '\0' && before[1] != '\0' && !has_zero_near(line + at, len - at);
        before[1] = before[0];
        before[0] = c;
        if (c != '\0' || is_lone) {
            line[kept++] = c != '\0' ? c : '\x01';
        }
    }
    return kept;
}

size_t text_clean_line(char *line, size_t len)
{
    if (memchr(line, '\0', len) != NULL) {
        len = take_zeros_out(line, len);
    }
    size_t kept = 0;
    size_t mark = len >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    for (size_t at = mark; at < len;) {
        size_t skip = colour_len(line + at, len - at);
        if (skip > 0) {
            at += skip;
        } else {
            line[kept++] = line[at++];
        }
    }
    while (kept > 0 && strchr(" \t\r\n", line[kept - 1]) != NULL) {
        kept--;
    }
    line[kept] = '\0';
    return kept;
}
