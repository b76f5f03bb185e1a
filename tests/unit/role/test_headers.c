/* -H: names, values and files; a value is in no line that is told. */
#include "role/headers.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "capture.h"

static struct capture capture;

/* The one field of `text`. */
static struct h2_header only_field(const struct role_headers *headers)
{
    struct h2_header fields[ROLE_HEADERS_MAX];
    assert_int_equal(role_headers_fill(headers, fields), 1);
    assert_true(fields[0].never_indexed);
    return fields[0];
}

static void init(struct role_headers *headers, const char *text)
{
    const struct cli_list values = {.values = {text}, .count = 1};
    *headers = (struct role_headers){0};
    assert_int_equal(role_headers_init(headers, "agent", &values), 0);
}

static void fields_are_sent_as_given(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *name;
        const char *value;
    } rows[] = {
        {"Authorization: Bearer abc", "authorization", "Bearer abc"},
        {"x:y", "x", "y"},
        {"x:\t a:b ", "x", "a:b"},
        {"x: @@file", "x", "@file"},
        {"x: one @@two", "x", "one @two"},
        {"x: a@b", "x", "a@b"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct role_headers headers;
        init(&headers, rows[i].text);
        struct h2_header field = only_field(&headers);
        assert_string_equal(field.name, rows[i].name);
        assert_string_equal(field.value, rows[i].value);
        role_headers_deinit(&headers);
    }
}

static void a_binary_header_has_a_value_that_can_be_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool good;
    } rows[] = {
        {"AAEC", true},      {"AAE=", true},         {"AAE", true},      {"AA==", true},
        {"AA", true},        {"A", false},           {"A===", false},    {"AA=", false},
        {"AA=A", false},     {"A-_B", false},        {"AAEC,AA", false}, {"AAEC,", false},
        {"AAEC, AA", false}, {"not base64!", false}, {"=", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[64];
        struct role_headers headers = {0};
        const struct cli_list values = {.values = {text}, .count = 1};
        snprintf(text, sizeof(text), "X-Trace-Bin: %s", rows[i].value);
        capture_begin(&capture, stderr);
        int rv = role_headers_init(&headers, "agent", &values);
        const char *told = capture_end(&capture);
        assert_int_equal(rv, !rows[i].good);
        assert_int_equal(strstr(told, "base64") != NULL, !rows[i].good);
        role_headers_deinit(&headers);
    }
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void a_file_is_read_again_and_a_bad_one_changes_nothing(void **state)
{
    (void)state;
    char path[] = "/tmp/header-XXXXXX";
    char text[64];
    struct role_headers headers;
    close(mkstemp(path));
    write_text(path, "\n one \r\n");
    snprintf(text, sizeof(text), "x: Bearer @%s", path);
    init(&headers, text);
    assert_string_equal(only_field(&headers).value, "Bearer one");
    write_text(path, "two");
    role_headers_refresh(&headers);
    assert_string_equal(only_field(&headers).value, "Bearer two");
    static const char *const bad[] = {"", " \n", "three\nfour", "f\x01ve"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        write_text(path, "two");
        role_headers_refresh(&headers);
        write_text(path, bad[i]);
        capture_begin(&capture, stderr);
        role_headers_refresh(&headers);
        const char *told = capture_end(&capture);
        assert_non_null(strstr(told, "-H x: cannot use /tmp/header-"));
        assert_null(strstr(told, "three"));
        assert_string_equal(only_field(&headers).value, "Bearer two");
    }
    write_text(path, "two");
    role_headers_refresh(&headers);
    unlink(path);
    for (int i = 0; i < 3; i++) { /* thousands of agents read it, and it is told once */
        capture_begin(&capture, stderr);
        role_headers_refresh(&headers);
        const char *told = capture_end(&capture);
        assert_int_equal(strstr(told, "No such file") != NULL, i == 0);
        assert_string_equal(only_field(&headers).value, "Bearer two");
    }
    role_headers_deinit(&headers);
}

static void too_many_fields_are_refused(void **state)
{
    (void)state;
    struct cli_list values = {.count = ROLE_HEADERS_MAX + 1};
    struct role_headers headers = {0};
    for (size_t i = 0; i < values.count; i++) {
        values.values[i] = "x: secret";
    }
    capture_begin(&capture, stderr);
    int outcome = role_headers_init(&headers, "agent", &values);
    const char *told = capture_end(&capture);
    assert_int_equal(outcome, 1);
    assert_non_null(strstr(told, "at most 16"));
    assert_null(strstr(told, "secret"));
    role_headers_deinit(&headers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_sent_as_given),
        cmocka_unit_test(a_binary_header_has_a_value_that_can_be_decoded),
        cmocka_unit_test(a_file_is_read_again_and_a_bad_one_changes_nothing),
        cmocka_unit_test(too_many_fields_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
