#include "base/text_line.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define REPLACEMENT UINT32_C(0xfffd)
#define HEAD_BYTES  4 /* enough to know an encoding by */
/* What one byte can lead to: the whole head, or a character. */
#define DECODED_BYTES 8

enum encoding { ENCODING_UNKNOWN, ENCODING_UTF8, ENCODING_UTF16LE, ENCODING_UTF16BE };

/* Zeroed at first. */
struct decoder {
    enum encoding encoding;
    uint8_t head[HEAD_BYTES]; /* the file's first bytes, then the unit that is under way */
    size_t head_len;
    uint32_t high; /* the first half of a surrogate pair, or 0 */
};

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
static size_t decode_unit(struct decoder *decoder, uint32_t unit, char *out)
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

static enum encoding encoding_of(const uint8_t head[static HEAD_BYTES])
{
    if (head[0] == 0xff && head[1] == 0xfe) {
        return ENCODING_UTF16LE;
    }
    if (head[0] == 0xfe && head[1] == 0xff) {
        return ENCODING_UTF16BE;
    }
    bool even_zero = head[0] == 0 && head[2] == 0;
    bool odd_zero = head[1] == 0 && head[3] == 0;
    if (even_zero != odd_zero) {
        return odd_zero ? ENCODING_UTF16LE : ENCODING_UTF16BE;
    }
    return ENCODING_UTF8;
}

static size_t decode_known(struct decoder *decoder, uint8_t byte, char *out)
{
    if (decoder->encoding == ENCODING_UTF8) {
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
        decoder, decoder->encoding == ENCODING_UTF16LE ? second << 8 | first : first << 8 | second,
        out);
}

/* Takes the next byte of the file and returns how many bytes of UTF-8 were written. */
static size_t decode_byte(struct decoder *decoder, uint8_t byte, char out[static DECODED_BYTES])
{
    if (decoder->encoding != ENCODING_UNKNOWN) {
        return decode_known(decoder, byte, out);
    }
    decoder->head[decoder->head_len++] = byte;
    if (decoder->head_len < HEAD_BYTES) {
        return 0;
    }
    uint8_t head[HEAD_BYTES];
    memcpy(head, decoder->head, sizeof(head));
    decoder->encoding = encoding_of(head);
    decoder->head_len = 0;
    size_t len = 0;
    for (size_t i = 0; i < sizeof(head); i++) {
        len += decode_known(decoder, head[i], out + len);
    }
    return len;
}

/* The end of the file: writes what the head of a very short one still holds. */
static size_t decode_end(struct decoder *decoder, char out[static DECODED_BYTES])
{
    bool has_mark = decoder->head_len >= 2 && (decoder->head[0] ^ decoder->head[1]) == 1 &&
                    decoder->head[0] >= 0xfe;
    size_t len = decoder->encoding == ENCODING_UNKNOWN && !has_mark ? decoder->head_len : 0;
    memcpy(out, decoder->head, len);
    decoder->head_len = 0;
    return len;
}

struct buf text_decode_all(const struct buf *bytes)
{
    struct decoder decoder = {0};
    struct buf text = {0};
    char out[DECODED_BYTES];
    for (size_t i = 0; i < bytes->len; i++) {
        size_t len = decode_byte(&decoder, buf_data(bytes)[i], out);
        (void)buf_append(&text, out, len, SIZE_MAX);
    }
    (void)buf_append(&text, out, decode_end(&decoder, out), SIZE_MAX);
    return text;
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
