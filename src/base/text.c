/* Showing small texts: durations, escapes, distances, UTF-8. */
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define US_NS     UINT64_C(1000)
#define MS_NS     UINT64_C(1000000)
#define SECOND_NS UINT64_C(1000000000)
/* Beyond them 99.99... is all. */
#define PERCENT_DIGITS 9

/* Writes `ns` in `unit_ns` with three digits. Returns false when it rounds to `limit` units or more
 * and so belongs to the next unit. */
static bool format_in_unit(char *out, size_t out_bytes, uint64_t ns, uint64_t unit_ns,
                           uint64_t limit, const char *unit)
{
    uint64_t hundredths = (ns + unit_ns / 200) / (unit_ns / 100);
    uint64_t tenths = (ns + unit_ns / 20) / (unit_ns / 10);
    uint64_t ones = (ns + unit_ns / 2) / unit_ns;
    if (hundredths < 1000) {
        snprintf(out, out_bytes, "%llu.%02llu%s", (unsigned long long)hundredths / 100,
                 (unsigned long long)hundredths % 100, unit);
    } else if (tenths < 1000 && tenths < limit * 10) {
        snprintf(out, out_bytes, "%llu.%llu%s", (unsigned long long)tenths / 10,
                 (unsigned long long)tenths % 10, unit);
    } else if (ones < limit) {
        snprintf(out, out_bytes, "%llu%s", (unsigned long long)ones, unit);
    } else {
        return false;
    }
    return true;
}

char *text_format_address(char *out, size_t out_bytes, const char *host, uint16_t port)
{
    bool v6 = strchr(host, ':') != NULL;
    snprintf(out, out_bytes, v6 ? "[%s]:%u" : "%s:%u", host, (unsigned)port);
    return out;
}

char *text_format_duration(char *out, size_t out_bytes, uint64_t ns)
{
    if (ns == 0) {
        snprintf(out, out_bytes, "0s");
    } else if (ns < US_NS) {
        snprintf(out, out_bytes, "%lluns", (unsigned long long)ns);
    } else if ((ns >= MS_NS || !format_in_unit(out, out_bytes, ns, US_NS, 1000, "us")) &&
               (ns >= SECOND_NS || !format_in_unit(out, out_bytes, ns, MS_NS, 1000, "ms")) &&
               (ns >= 60 * SECOND_NS || !format_in_unit(out, out_bytes, ns, SECOND_NS, 60, "s"))) {
        unsigned long long seconds = ns / SECOND_NS + (ns % SECOND_NS >= SECOND_NS / 2);
        if (seconds < 3600) {
            snprintf(out, out_bytes, "%llum%02llus", seconds / 60, seconds % 60);
        } else {
            unsigned long long minutes = (seconds + 30) / 60;
            snprintf(out, out_bytes, "%lluh%02llum", minutes / 60, minutes % 60);
        }
    }
    return out;
}

char *text_format_percent(char *out, size_t out_bytes, double share)
{
    double percent = 100 * share;
    int digits = percent > 99 ? 4 : 3;
    if (percent > 0 && percent < 0.01) {
        snprintf(out, out_bytes, "< 0.01 %%");
        return out;
    }
    if (percent >= 1000) {
        snprintf(out, out_bytes, "%.0f %%", percent);
        return out;
    }
    do {
        snprintf(out, out_bytes, "%.*g %%", digits++, percent);
    } while (percent < 100 && digits < PERCENT_DIGITS && strcmp(out, "100 %") == 0);
    return out;
}

char *text_format_size(char *out, size_t out_bytes, double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    const char *sign = bytes < 0 ? "-" : "";
    size_t unit = 0;
    bytes = bytes < 0 ? -bytes : bytes;
    for (; bytes >= 1023.5 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++) {
        bytes /= 1024;
    }
    int decimals = unit == 0 || bytes >= 99.95 ? 0 : bytes >= 9.995 ? 1 : 2;
    snprintf(out, out_bytes, "%s%.*f %s", sign, decimals, bytes, units[unit]);
    return out;
}

static const char HEX[] = "0123456789abcdef";

/* Whether text_escape() shows it as it is. */
static bool is_printable(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x7f;
}

/* Writes one byte as text_escape() shows it. Returns its length, 1 or 4. */
static size_t escape_byte(char out[static 4], unsigned char byte)
{
    if (is_printable(byte)) {
        out[0] = (char)byte;
        return 1;
    }
    out[0] = '\\';
    out[1] = 'x';
    out[2] = HEX[byte >> 4];
    out[3] = HEX[byte & 15];
    return 4;
}

static bool are_printable(const char *bytes, size_t len)
{
    size_t i = 0;
    while (i < len && is_printable((unsigned char)bytes[i])) {
        i++;
    }
    return i == len;
}

size_t text_escape(char *out, size_t out_bytes, const char *bytes, size_t len)
{
    if (out_bytes == 0) {
        return 0;
    }
    if (len > 0 && len < out_bytes && are_printable(bytes, len)) { /* as nearly all texts */
        memcpy(out, bytes, len);
        out[len] = '\0';
        return len;
    }
    size_t room = out_bytes - 1;
    size_t dots = room < 3 ? room : 3;
    size_t at = 0;
    size_t cut = 0; /* the last place from which the dots still fit */
    for (size_t i = 0; i < len; i++) {
        char piece[4];
        size_t piece_len = escape_byte(piece, (unsigned char)bytes[i]);
        if (piece_len > room - at) {
            memcpy(out + cut, "...", dots);
            at = cut + dots;
            break;
        }
        memcpy(out + at, piece, piece_len);
        at += piece_len;
        if (at + dots <= room) {
            cut = at;
        }
    }
    out[at] = '\0';
    return at;
}

static size_t min_of_3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein distance, one row at a time. */
size_t text_distance(const char *a, const char *b)
{
    enum { WORD_MAX = 64 };
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);
    size_t row[WORD_MAX + 1];
    if (b_len > WORD_MAX) { /* no word of ours is that long: as far away as can be */
        return a_len > b_len ? a_len : b_len;
    }
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t substituted = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = min_of_3(row[j] + 1, row[j - 1] + 1, substituted);
        }
    }
    return row[b_len];
}

size_t text_utf8_decode(const char *bytes, size_t len, uint32_t *ret_code_point)
{
    const unsigned char *in = (const unsigned char *)bytes;
    static const uint32_t LEAST[] = {0, 0, 0x80, 0x800, 0x10000}; /* by length: no overlong forms */
    if (len == 0) {
        return 0;
    }
    if (in[0] < 0x80) {
        *ret_code_point = in[0];
        return 1;
    }
    size_t length = in[0] >= 0xf0 ? 4 : in[0] >= 0xe0 ? 3 : 2;
    if (in[0] < 0xc2 || in[0] > 0xf4 || length > len) {
        return 0;
    }
    uint32_t code_point = in[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((in[i] & 0xc0) != 0x80) {
            return 0;
        }
        code_point = code_point << 6 | (in[i] & 0x3fu);
    }
    bool surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
    if (code_point < LEAST[length] || code_point > 0x10ffff || surrogate) {
        return 0;
    }
    *ret_code_point = code_point;
    return length;
}

size_t text_next_visible(const char *bytes, size_t len, uint32_t *ret_code_point)
{
    uint32_t code_point;
    size_t taken = text_utf8_decode(bytes, len, &code_point);
    if (taken == 0) {
        *ret_code_point = '?';
        return 1;
    }
    bool control = code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
    bool hidden = (control && code_point != '\n') || code_point == 0xfffe || code_point == 0xffff;
    *ret_code_point = hidden ? '?' : code_point;
    return taken;
}

#define WORDS_BYTES (4 * sizeof(uint64_t))

static bool are_ascii(const char *bytes)
{
    uint64_t words[WORDS_BYTES / sizeof(uint64_t)];
    memcpy(words, bytes, sizeof(words));
    uint64_t any = words[0] | words[1] | words[2] | words[3];
    return (any & UINT64_C(0x8080808080808080)) == 0;
}

/* Most of what is long is ASCII: by words it costs a fiftieth of one character after the other. */
bool text_is_utf8(const char *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        if (len - at >= WORDS_BYTES && are_ascii(bytes + at)) {
            at += WORDS_BYTES;
            continue;
        }
        if ((unsigned char)bytes[at] < 0x80) {
            at++;
            continue;
        }
        uint32_t code_point;
        size_t length = text_utf8_decode(bytes + at, len - at, &code_point);
        if (length == 0) {
            return false;
        }
        at += length;
    }
    return true;
}

/* What changes or hides the text around it, rather than being seen. */
static bool is_hidden(uint32_t code_point)
{
    static const struct {
        uint32_t first;
        uint32_t last;
    } HIDDEN[] = {
        {0, 0x9f},        {0xad, 0xad},     {0x61c, 0x61c},   {0x200b, 0x200f},   {0x2028, 0x202e},
        {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0xe0000, 0xe0fff},
    };
    for (size_t i = 0; i < sizeof(HIDDEN) / sizeof(HIDDEN[0]); i++) {
        if (code_point >= HIDDEN[i].first && code_point <= HIDDEN[i].last) {
            return true;
        }
    }
    return (code_point & 0xfffe) == 0xfffe;
}

/* The byte that the escape at `at` stands for, or -1. */
static int escaped_byte(const char *at)
{
    if (at[0] != '\\' || at[1] != 'x' || at[2] == '\0' || at[3] == '\0') {
        return -1;
    }
    const char *high = memchr(HEX, at[2], 16);
    const char *low = memchr(HEX, at[3], 16);
    return high != NULL && low != NULL ? (int)((high - HEX) << 4 | (low - HEX)) : -1;
}

void text_make_readable(char *text)
{
    char *out = text;
    for (const char *at = text; *at != '\0';) {
        char bytes[4];
        size_t len = 0;
        int byte;
        uint32_t code_point;
        while (len < sizeof(bytes) && (byte = escaped_byte(at + 4 * len)) >= 0x80) {
            bytes[len++] = (char)byte;
        }
        size_t taken = text_utf8_decode(bytes, len, &code_point);
        if (taken > 0 && !is_hidden(code_point)) {
            memcpy(out, bytes, taken);
            out += taken;
            at += 4 * taken;
        } else {
            *out++ = *at++;
        }
    }
    *out = '\0';
}

bool text_is_base64_list(const char *text, size_t len)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t digits = 0;
    size_t padding = 0;
    for (size_t i = 0; i <= len; i++) {
        char c = i < len ? text[i] : ',';
        if (c == ',') {
            bool whole = padding == 0 ? digits % 4 != 1 : (digits + padding) % 4 == 0;
            if (!whole || padding > 2) {
                return false;
            }
            digits = 0;
            padding = 0;
        } else if (c == '=') {
            padding++;
        } else if (padding > 0 || memchr(alphabet, c, strlen(alphabet)) == NULL) {
            return false;
        } else {
            digits++;
        }
    }
    return true;
}
