#include "cli/suggest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const char *suggest(const char *typed)
{
    static const char *const KNOWN[] = {"agent",       "server", "proxy",          "verify",
                                        "sticky-test", "demo",   "target",         "interval",
                                        "plaintext",   "routes", "tls-skip-verify"};
    struct cli_suggestion suggestion = {.typed = typed};
    for (size_t i = 0; i < sizeof(KNOWN) / sizeof(KNOWN[0]); i++) {
        cli_suggest(&suggestion, KNOWN[i]);
    }
    return suggestion.best;
}

static void slips_find_the_nearest_word(void **state)
{
    (void)state;
    assert_string_equal(suggest("agnet"), "agent");
    assert_string_equal(suggest("agen"), "agent");
    assert_string_equal(suggest("taget"), "target");
    assert_string_equal(suggest("sever"), "server");
    assert_string_equal(suggest("sticky"), "sticky-test");
    assert_string_equal(suggest("intreval"), "interval");
    assert_string_equal(suggest("skip-verify"), "tls-skip-verify");
    assert_string_equal(suggest("verify"), "verify");
}

static void other_words_find_nothing(void **state)
{
    (void)state;
    assert_null(suggest(""));
    assert_null(suggest("x"));
    assert_null(suggest("te"));
    assert_null(suggest("loadtest"));
    assert_null(suggest("supercalifragilisticexpialidocious"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slips_find_the_nearest_word),
        cmocka_unit_test(other_words_find_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
