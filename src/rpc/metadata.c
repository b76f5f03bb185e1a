#include "rpc/metadata.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool passes_unencoded(unsigned char c)
{
    return c >= 0x20 && c <= 0x7e && c != '%';
}

size_t rpc_percent_encode(char *out, size_t out_bytes, const char *bytes, size_t len)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t at = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        size_t need = passes_unencoded(c) ? 1 : 3;
        if (at + need >= out_bytes) {
            break;
        }
        if (need == 1) {
            out[at++] = (char)c;
        } else {
            out[at++] = '%';
            out[at++] = digits[c >> 4];
            out[at++] = digits[c & 15];
        }
    }
    if (out_bytes > 0) {
        out[at] = '\0';
    }
    return at;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    int lower = tolower((unsigned char)c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

size_t rpc_percent_decode(char *out, size_t out_bytes, const char *bytes, size_t len)
{
    size_t at = 0;
    for (size_t i = 0; i < len && at + 1 < out_bytes; i++) {
        bool escape = bytes[i] == '%' && i + 2 < len && hex_value(bytes[i + 1]) >= 0 &&
                      hex_value(bytes[i + 2]) >= 0;
        if (escape) {
            out[at++] = (char)(hex_value(bytes[i + 1]) << 4 | hex_value(bytes[i + 2]));
            i += 2;
        } else {
            out[at++] = bytes[i];
        }
    }
    if (out_bytes > 0) {
        out[at] = '\0';
    }
    return at;
}

/* Nanoseconds of each unit of grpc-timeout; 0 for other letters. */
static uint64_t unit_ns(char unit)
{
    switch (unit) {
    case 'H':
        return UINT64_C(3600000000000);
    case 'M':
        return UINT64_C(60000000000);
    case 'S':
        return UINT64_C(1000000000);
    case 'm':
        return UINT64_C(1000000);
    case 'u':
        return UINT64_C(1000);
    case 'n':
        return 1;
    default:
        return 0;
    }
}

size_t rpc_binary_encode(char *out, size_t out_bytes, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t need = (len * 8 + 5) / 6;
    if (need >= out_bytes) {
        return 0;
    }
    for (size_t i = 0; i < need; i++) {
        size_t bit = i * 6;
        unsigned pair = (unsigned)bytes[bit / 8] << 8;
        pair |= bit / 8 + 1 < len ? bytes[bit / 8 + 1] : 0;
        out[i] = digits[(pair >> (10 - bit % 8)) & 63];
    }
    out[need] = '\0';
    return need;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int rpc_binary_decode(const char *text, size_t len, uint8_t *out, size_t out_bytes, size_t *ret_len)
{
    size_t padding = 0;
    while (len > 0 && padding < 2 && text[len - 1] == '=') {
        len--;
        padding++;
    }
    size_t whole = len * 6 / 8;
    if (len % 4 == 1 || (padding > 0 && (len + padding) % 4 != 0) || whole > out_bytes) {
        return 1;
    }
    unsigned bits = 0;
    for (size_t i = 0; i < len; i++) {
        int value = base64_value(text[i]);
        if (value < 0) {
            return 1;
        }
        bits = bits << 6 | (unsigned)value;
        if (i % 4 != 0) {
            out[i * 6 / 8] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
        }
    }
    *ret_len = whole;
    return 0;
}

int rpc_timeout_parse(const char *text, size_t len, uint64_t *ret_ns)
{
    if (len < 2 || len > 9 || unit_ns(text[len - 1]) == 0) {
        return 1;
    }
    uint64_t value = 0;
    for (size_t i = 0; i + 1 < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return 1;
        }
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *ret_ns = value * unit_ns(text[len - 1]); /* 8 digits of hours fit 64 bits only when capped */
    if (value != 0 && *ret_ns / value != unit_ns(text[len - 1])) {
        *ret_ns = UINT64_MAX;
    }
    return 0;
}

void rpc_timeout_format(char out[static RPC_TIMEOUT_BYTES], uint64_t ns)
{
    static const char units[] = "numSMH";
    for (size_t i = 0; units[i] != '\0'; i++) {
        uint64_t unit = unit_ns(units[i]);
        uint64_t value = ns / unit + (ns % unit != 0);
        if (value <= 99999999) {
            snprintf(out, RPC_TIMEOUT_BYTES, "%u%c", (unsigned)value, units[i]);
            return;
        }
    }
    snprintf(out, RPC_TIMEOUT_BYTES, "99999999H");
}

bool rpc_is_grpc_content_type(const char *value, size_t len)
{
    static const char base[] = "application/grpc";
    size_t base_len = sizeof(base) - 1;
    if (len < base_len || memcmp(value, base, base_len) != 0) {
        return false;
    }
    return len == base_len || value[base_len] == '+' || value[base_len] == ';';
}

bool rpc_is_plain_version(const char *value, size_t len)
{
    if (len == 0 || len > 64) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)value[i]) && strchr("._+-", value[i]) == NULL) {
            return false;
        }
    }
    return true;
}
