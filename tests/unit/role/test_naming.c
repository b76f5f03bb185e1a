/* Who answered, in headers, trailers and messages that may be anything. */
#include "role/naming.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture.h"

static struct capture capture;
static struct role_name name;

static struct role_source source_of(const char *text)
{
    struct role_service *service;
    const struct role_service_options options = {.method = "a.B/C", .server_from = text};
    assert_int_equal(role_service_load("verify", &options, &service), 0);
    struct role_source source = service->server;
    role_service_free(service);
    return source;
}

static void look(const char *text, const struct h2_header *fields, size_t count)
{
    const struct h2_block block = {fields, count};
    const struct role_source source = source_of(text);
    memset(&name, 0, sizeof(name));
    role_name_from_block(&name, &source, ROLE_SOURCE_HEADER, &block);
}

static void assert_missing(const char *part)
{
    assert_string_equal(name.text, "");
    if (strstr(name.missing, part) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", part, name.missing);
    }
    for (const char *at = name.missing; *at != '\0'; at++) {
        assert_in_range(*at, 0x20, 0x7e);
    }
}

static void a_header_names_it_whatever_its_case(void **state)
{
    (void)state;
    const struct h2_header fields[] = {H2_HEADER(":status", "200"), H2_HEADER("x-up", "v1")};
    look("header:X-Up", fields, 2);
    assert_string_equal(name.text, "v1");
    assert_string_equal(name.missing, "");
}

static void another_kind_of_block_is_not_looked_into(void **state)
{
    (void)state;
    const struct h2_header fields[] = {H2_HEADER("x-up", "v1")};
    look("trailer:x-up", fields, 1);
    assert_string_equal(name.text, "");
    assert_string_equal(name.missing, "");
}

static void what_is_there_instead_is_told(void **state)
{
    (void)state;
    const struct h2_header fields[] = {H2_HEADER(":status", "200"), H2_HEADER("server", "x"),
                                       H2_HEADER("date", "y"), H2_HEADER("server", "z")};
    look("header:x-up", fields, 4);
    assert_missing("no header x-up, but server, date");
    assert_null(strstr(name.missing, ":status"));
    look("header:x-up", fields, 1);
    assert_missing("but nothing");
    struct h2_header many[40];
    for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
        static char names[40][16];
        snprintf(names[i], sizeof(names[i]), "a-name-%zu", i);
        many[i] = (struct h2_header){names[i], "1", strlen(names[i]), 1, false};
    }
    look("header:x-up", many, ARRAY_SIZE(many));
    assert_missing("...");
}

static void names_that_are_none_are_not_believed(void **state)
{
    (void)state;
    char text[ROLE_NAME_BYTES + 1];
    memset(text, 'a', sizeof(text));
    const struct h2_header empty = H2_HEADER("x-up", "");
    look("header:x-up", &empty, 1);
    assert_missing("is empty");
    struct h2_header field = {"x-up", text, 4, ROLE_NAME_BYTES, false};
    look("header:x-up", &field, 1);
    assert_missing("has 256 bytes, and a name at most 255");
    field.value_len = ROLE_NAME_BYTES - 1;
    look("header:x-up", &field, 1);
    assert_int_equal(strlen(name.text), ROLE_NAME_BYTES - 1);
    text[2] = '\0';
    look("header:x-up", &field, 1);
    assert_missing("NUL");
}

static void two_values_are_not_guessed_at(void **state)
{
    (void)state;
    const struct h2_header fields[] = {H2_HEADER("x-up", "v1"), H2_HEADER("b", "1"),
                                       H2_HEADER("x-up", "\x1b[2J")};
    look("header:x-up", fields, 3);
    assert_missing("more than once: v1 and \\x1b[2J");
    const struct h2_header same[] = {H2_HEADER("x-up", "v1"), H2_HEADER("x-up", "v1")};
    look("header:x-up", same, 2);
    assert_string_equal(name.text, "v1");
}

static void a_message_names_it_anew_each_time(void **state)
{
    (void)state;
    const struct role_source source = source_of("field:1");
    memset(&name, 0, sizeof(name));
    role_name_from_message(&name, &source, (const uint8_t *)"\x0a\x02v1", 4);
    assert_string_equal(name.text, "v1");
    role_name_from_message(&name, &source, (const uint8_t *)"\x08\xac\x02", 3);
    assert_string_equal(name.text, "300");
    role_name_from_message(&name, &source, (const uint8_t *)"\x10\x01", 2);
    assert_missing("no field 1 in a message of 2 bytes, whose fields are: 2");
    role_name_from_message(&name, &source, (const uint8_t *)"\x0a\x00", 2);
    assert_missing("no field 1 in"); /* the first reason stays */
    role_name_from_message(&name, &source, (const uint8_t *)"\x0a\x02v2", 4);
    assert_string_equal(name.text, "v2");
}

static void a_broken_message_names_nobody(void **state)
{
    (void)state;
    const struct role_source source = source_of("field:1");
    static const struct {
        const char *bytes;
        size_t len;
        const char *told;
    } cases[] = {{"\x0a\x05v1", 4, "not a protobuf message"},
                 {"\x0d"
                  "1234",
                  5, "neither a string"},
                 {"\x08\x01\x08\x02", 4, "more than once"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        memset(&name, 0, sizeof(name));
        role_name_from_message(&name, &source, (const uint8_t *)cases[i].bytes, cases[i].len);
        assert_missing(cases[i].told);
    }
}

/* ---- the options ----------------------------------------------------------------------------- */

static void methods_are_spelled_in_three_ways(void **state)
{
    (void)state;
    char path[ROLE_METHOD_BYTES];
    static const char *const good[] = {"/a.B/C", "a.B/C", "a.B.C"};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_int_equal(role_service_path(good[i], path), 0);
        assert_string_equal(path, "/a.B/C");
    }
    static const char *const bad[] = {"",       "/",        "//",     "a",       "/a",     "a/",
                                      "/a/",    "/a.B/C/D", "a.b/",   "a b/C",   ".a/C",   "a./C",
                                      "a..b/C", "/a/b?c",   "/a/%41", "/\x01/b", "a.B/C.D"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(role_service_path(bad[i], path), 1);
    }
    char longest[ROLE_METHOD_BYTES + 1];
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    longest[100] = '/';
    assert_int_equal(role_service_path(longest, path), 1);
    longest[ROLE_METHOD_BYTES - 2] = '\0';
    assert_int_equal(role_service_path(longest, path), 0);
    assert_int_equal(strlen(path), ROLE_METHOD_BYTES - 1);
}

static int load(const struct role_service_options *options, struct role_service **ret)
{
    capture_begin(&capture, stderr);
    int rv = role_service_load("verify", options, ret);
    const char *told = capture_end(&capture);
    assert_true(rv == 0 || strstr(told, "needs --method") != NULL);
    return rv;
}

static void pingpong_needs_none_of_it_and_takes_none(void **state)
{
    (void)state;
    struct role_service *service;
    const struct role_service_options none = {0};
    assert_int_equal(load(&none, &service), 0);
    assert_null(service);
    const struct role_service_options alone[] = {{.message_file = "x"},
                                                 {.server_from = "field:1"},
                                                 {.pod_from = "field:1"},
                                                 {.call = ROLE_CALL_UNARY}};
    for (size_t i = 0; i < ARRAY_SIZE(alone); i++) {
        assert_int_equal(load(&alone[i], &service), 1);
        assert_null(service);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_names_it_whatever_its_case),
        cmocka_unit_test(another_kind_of_block_is_not_looked_into),
        cmocka_unit_test(what_is_there_instead_is_told),
        cmocka_unit_test(names_that_are_none_are_not_believed),
        cmocka_unit_test(two_values_are_not_guessed_at),
        cmocka_unit_test(a_message_names_it_anew_each_time),
        cmocka_unit_test(a_broken_message_names_nobody),
        cmocka_unit_test(methods_are_spelled_in_three_ways),
        cmocka_unit_test(pingpong_needs_none_of_it_and_takes_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
