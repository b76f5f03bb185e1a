#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void assert_json_len(const char *bytes, size_t len, const char *expected)
{
    struct buf out = {0};
    assert_int_equal(json_append_string(&out, bytes, len), 0);
    assert_int_equal(buf_append(&out, "", 1, SIZE_MAX), 0);
    assert_string_equal((char *)buf_data(&out), expected);
    buf_deinit(&out);
}

static void assert_json(const char *text, const char *expected)
{
    assert_json_len(text, strlen(text), expected);
}

static void every_byte_value_becomes_printable_ascii(void **state)
{
    (void)state;
    static const char *const SHORT[128] = {
        ['"'] = "\\\"", ['\\'] = "\\\\", ['\b'] = "\\b", ['\f'] = "\\f",
        ['\n'] = "\\n", ['\r'] = "\\r",  ['\t'] = "\\t"};
    for (int value = 0; value < 256; value++) {
        char byte = (char)value;
        char expected[16];
        if (value < 128 && SHORT[value] != NULL) {
            snprintf(expected, sizeof(expected), "\"%s\"", SHORT[value]);
        } else if (value >= 0x20 && value < 0x7f) {
            snprintf(expected, sizeof(expected), "\"%c\"", value);
        } else if (value < 128) {
            snprintf(expected, sizeof(expected), "\"\\u%04x\"", (unsigned)value);
        } else { /* alone it is not UTF-8 */
            snprintf(expected, sizeof(expected), "\"\\ufffd\"");
        }
        assert_json_len(&byte, 1, expected);
    }
}

static void characters_keep_their_code_points(void **state)
{
    (void)state;
    assert_json("", "\"\"");
    assert_json("plain", "\"plain\"");
    assert_json("p\xc3\xb6ng", "\"p\\u00f6ng\"");
    assert_json("\xe2\x86\x92", "\"\\u2192\"");
    assert_json("a\xf0\x9f\x8e\x89z", "\"a\\ud83c\\udf89z\"");
    assert_json("\xf4\x8f\xbf\xbf", "\"\\udbff\\udfff\"");
    assert_json("\xc2\x9b[31m", "\"\\u009b[31m\""); /* the one-byte CSI of terminals */
}

static void broken_utf8_is_replaced_byte_by_byte(void **state)
{
    (void)state;
    assert_json("a\xc3", "\"a\\ufffd\"");
    assert_json("\xc0\x80z", "\"\\ufffd\\ufffdz\"");
    assert_json("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"");
    assert_json_len("a\0b", 3, "\"a\\u0000b\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_value_becomes_printable_ascii),
        cmocka_unit_test(characters_keep_their_code_points),
        cmocka_unit_test(broken_utf8_is_replaced_byte_by_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
