/* Whatever is typed: the parsers neither crash nor accept what they would not show again, and what
 * goes to a log or a terminal is printable. */
#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static bool is_printable(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

static void fuzz_duration(const char *text)
{
    uint64_t ns;
    uint64_t again_ns;
    char shown[32];
    const char *reason = NULL;
    if (text_parse_duration(text, &ns, &reason) != 0) {
        check(reason != NULL);
        return;
    }
    text_format_duration(shown, sizeof(shown), ns);
    check(is_printable(shown, strlen(shown)));
    if (ns < (uint64_t)INT64_MAX / 100 * 99) {
        check(text_parse_duration(shown, &again_ns, &reason) == 0);
        uint64_t error = again_ns > ns ? again_ns - ns : ns - again_ns;
        check(error <= ns / 100);
    }
}

static void fuzz_address(const char *text, uint16_t default_port)
{
    struct text_address address;
    struct text_address again;
    char shown[TEXT_HOST_BYTES + 16];
    const char *reason = NULL;
    if (text_parse_address(text, default_port, &address, &reason) != 0) {
        check(reason != NULL);
        return;
    }
    check(strlen(address.host) <= 253 && is_printable(address.host, strlen(address.host)));
    bool brackets = strchr(address.host, ':') != NULL;
    snprintf(shown, sizeof(shown), brackets ? "[%s]:%u" : "%s:%u", address.host, address.port);
    check(text_parse_address(shown, 0, &again, &reason) == 0);
    check(strcmp(address.host, again.host) == 0 && address.port == again.port);
}

static void fuzz_version(const char *text)
{
    struct text_version version;
    char shown[32];
    const char *reason = NULL;
    if (text_parse_version(text, &version, &reason) != 0) {
        check(reason != NULL);
        return;
    }
    if (version.has_minor) {
        snprintf(shown, sizeof(shown), "v%u.%u", version.major, version.minor);
    } else {
        snprintf(shown, sizeof(shown), "v%u", version.major);
    }
    check(strcmp(shown, text) == 0);
}

static void fuzz_number(const char *text)
{
    uint64_t value;
    const char *reason = NULL;
    if (text_parse_u64(text, 10, 1000000, &value, &reason) == 0) {
        check(value >= 10 && value <= 1000000 && value == strtoull(text, NULL, 10));
    } else {
        check(reason != NULL);
    }
}

static void fuzz_escapes(const char *bytes, size_t len)
{
    char shown[64];
    for (size_t room = 1; room <= sizeof(shown); room *= 2) {
        size_t shown_len = text_escape(shown, room, bytes, len);
        check(shown_len < room && shown[shown_len] == '\0' && is_printable(shown, shown_len));
    }
    struct buf json = {0};
    check(json_append_string(&json, bytes, len) == 0);
    check(is_printable((const char *)buf_data(&json), json.len));
    bool replaced = memmem(buf_data(&json), json.len, "\\ufffd", 6) != NULL;
    bool escaped_by_hand = memmem(bytes, len, "ufffd", 5) != NULL;
    check(text_is_utf8(bytes, len) || replaced);
    check(!replaced || escaped_by_hand || !text_is_utf8(bytes, len) ||
          memmem(bytes, len, "\xef\xbf\xbd", 3) != NULL);
    buf_deinit(&json);
}

static void fuzz_distance(const char *text, size_t len)
{
    char *left = strndup(text, len / 2);
    const char *right = text + len / 2;
    size_t distance = text_distance(left, right);
    size_t longer = strlen(left) > strlen(right) ? strlen(left) : strlen(right);
    check(distance <= longer && distance == text_distance(right, left));
    check((distance == 0) == (strcmp(left, right) == 0));
    free(left);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1); /* its own block: one byte too far is seen */
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    fuzz_duration(text);
    fuzz_address(text, 0);
    fuzz_address(text, 8443);
    fuzz_version(text);
    fuzz_number(text);
    fuzz_escapes(text, size);
    if (strlen(text) <= 64) {
        fuzz_distance(text, strlen(text));
    }
    free(text);
    return 0;
}
