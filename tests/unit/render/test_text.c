#include "base/mem.h"
#include "render/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka needs those first */
#include <cmocka.h>

/* What `put` writes for a text, in a static buffer. */
static const char *written(void (*put)(FILE *, const char *), const char *text)
{
    static char out[512];
    memset(out, 0, sizeof(out));
    FILE *file = fmemopen(out, sizeof(out), "w");
    assert_non_null(file);
    put(file, text);
    fclose(file);
    return out;
}

static void yaml_strings_hold_any_text(void **state)
{
    (void)state;
    assert_string_equal(written(put_yaml, "a"), "\"a\"");
    assert_string_equal(written(put_yaml, "\"}: \\\n#"), "\"\\\"}: \\\\\\x0a#\"");
    assert_string_equal(written(put_yaml, "\x1b[0m"), "\"\\x1b[0m\"");
}

static void haproxy_words_hold_any_text(void **state)
{
    (void)state;
    assert_string_equal(written(put_haproxy, "a b"), "'a b'");
    assert_string_equal(written(put_haproxy, "'; bind :1"), "''\\''; bind :1'");
}

static void literals_match_nothing_else(void **state)
{
    (void)state;
    assert_string_equal(written(put_literal, "v1.1"), "v1\\.1");
    assert_string_equal(written(put_literal, "a/b-c"), "a/b-c");
    assert_string_equal(written(put_literal, "($[x]*^{}|+?\\"),
                        "\\(\\$\\[x\\]\\*\\^\\{\\}\\|\\+\\?\\\\");
}

static void expressions_of_both_dialects_are_told_apart(void **state)
{
    (void)state;
    static const char *const shared[] = {"^v1\\..*$", "v[12]\\.\\d+", "(?:a|b)+?",    "[^]a]x*",
                                         "(?i)abc",   "a{2,3}",       "[[:digit:]]+", "\\.\\*",
                                         "(?P<n>x)",  "[(?=]"};
    static const char *const ours_alone[] = {"(?=a)b",    "(?!a)b", "(?<=a)b", "(?<!a)b", "(a)\\1",
                                             "a++",       "a*+",    "a?+",     "a{2}+",   "(?>a)",
                                             "(?R)",      "\\Ga",   "\\h",     "\\Ka",    "(?#c)a",
                                             "(*ACCEPT)", "\\s",    "(?<n>x)", "a\\"};
    for (size_t i = 0; i < ARRAY_SIZE(shared); i++) {
        if (!is_re2(shared[i])) {
            fail_msg("%s is refused", shared[i]);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(ours_alone); i++) {
        if (is_re2(ours_alone[i])) {
            fail_msg("%s is taken", ours_alone[i]);
        }
    }
}

static void paths_follow_service_and_method(void **state)
{
    (void)state;
    struct route_regex *some = mem_unconst("not looked at");
    const struct {
        struct route_match match;
        enum path_kind kind;
        const char *text;
    } rows[] = {
        {{.header_count = 0}, PATH_ANY, NULL},
        {{.service.value = mem_unconst("a.B"), .method.value = mem_unconst("C")},
         PATH_EXACT,
         "/a.B/C"},
        {{.service.value = mem_unconst("a.B")}, PATH_PREFIX, "/a.B/"},
        {{.method.value = mem_unconst("C.d")}, PATH_REGEX, "/[^/]+/C\\.d"},
        {{.service = {mem_unconst("a|b"), some}, .method.value = mem_unconst("C")},
         PATH_REGEX,
         "/(?:a|b)/C"},
        {{.service.value = mem_unconst("a"), .method = {mem_unconst("x.*"), some}},
         PATH_REGEX,
         "/a/(?:x.*)"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char *text;
        assert_int_equal(path_of(&rows[i].match, &text), rows[i].kind);
        if (rows[i].text == NULL) {
            assert_null(text);
        } else {
            assert_string_equal(text, rows[i].text);
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yaml_strings_hold_any_text),
        cmocka_unit_test(haproxy_words_hold_any_text),
        cmocka_unit_test(literals_match_nothing_else),
        cmocka_unit_test(expressions_of_both_dialects_are_told_apart),
        cmocka_unit_test(paths_follow_service_and_method),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
