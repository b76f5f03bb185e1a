/* Whole-value matching, and what a hostile expression may cost. */
#include "support.h"

#include "base/clock.h"
#include "base/mem.h"
#include "route/regex.h"

#include <pthread.h>

static struct route_regex *compile(const char *pattern)
{
    char reason[160] = "";
    struct route_regex *regex = route_regex_new(pattern, reason, sizeof(reason));
    if (regex == NULL) {
        fail_msg("%s: %s", pattern, reason);
    }
    return regex;
}

static enum route_regex_answer ask(const char *pattern, const char *value)
{
    struct route_regex *regex = compile(pattern);
    enum route_regex_answer answer = route_regex_matches(regex, value, strlen(value));
    route_regex_free(regex);
    return answer;
}

static void the_whole_value_must_match(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *value;
        enum route_regex_answer answer;
    } rows[] = {
        {"v1", "v1", ROUTE_REGEX_YES},
        {"v1", "v1.0", ROUTE_REGEX_NO},
        {"v1", "xv1", ROUTE_REGEX_NO},
        {"v1|v1\\.2", "v1.2", ROUTE_REGEX_YES},
        {"a|b.*", "ax", ROUTE_REGEX_NO},
        {"^v1\\..*$", "v1.0", ROUTE_REGEX_YES},
        {"v1\\..*", "v1.", ROUTE_REGEX_YES},
        {"v1$", "v1\n", ROUTE_REGEX_NO},
        {"", "x", ROUTE_REGEX_NO},
        {".*", "", ROUTE_REGEX_YES},
        {"V1", "v1", ROUTE_REGEX_NO},
        {"(?i)V1", "v1", ROUTE_REGEX_YES},
        {"..", "\xc3\xa4", ROUTE_REGEX_YES}, /* two bytes */
        {"\xc3\xa4", "\xc3\xa4", ROUTE_REGEX_YES},
        {".", "\xff", ROUTE_REGEX_YES},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (ask(rows[i].pattern, rows[i].value) != rows[i].answer) {
            fail_msg("%s on %s", rows[i].pattern, rows[i].value);
        }
    }
}

static void bad_expressions_are_named_with_their_offset(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *reason;
    } rows[] = {
        {"v1(", "missing closing parenthesis at offset 3"},
        {"[a", "missing terminating ] for character class at offset 2"},
        {"*a", "quantifier does not follow a repeatable item at offset 0"},
        {"(*UTF)a", "at offset"},
        {"\\C", "at offset"},
        {"((((((a{1000}){1000}){1000}){1000}){1000}){1000})", "too large at offset"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char reason[160] = "";
        assert_null(route_regex_new(rows[i].pattern, reason, sizeof(reason)));
        if (strstr(reason, rows[i].reason) == NULL) {
            fail_msg("%s: %s", rows[i].pattern, reason);
        }
    }
}

/* Expressions that would run for ages on a 16 KiB value, the most that a header block holds. */
static void a_hostile_expression_gives_up_soon(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "(x+)+y",      "(x|x)*y", "(x*)*y", "(.*)(.*)(.*)(.*)(.*)y", "(?:(?:x?){50}){50}y",
        "(x(?R)?|x)*y"};
    static char value[16 * 1024];
    memset(value, 'x', sizeof(value));
    for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
        struct route_regex *regex = compile(patterns[i]);
        uint64_t start_ms = clock_now_ms();
        assert_int_equal(route_regex_matches(regex, value, sizeof(value)), ROUTE_REGEX_GAVE_UP);
        assert_true(clock_now_ms() - start_ms <
                    1000); /* some 5 ms; sanitizers and busy machines take more */
        route_regex_free(regex);
    }
}

/* Each x doubles the steps: some 10,000 for twelve, and for nineteen a million, which is more than
 * a match may take and less than the library's own limit. */
static void steps_are_counted(void **state)
{
    (void)state;
    assert_int_equal(ask("(x+)+[yz]", "xxxxxxxxxxxx"), ROUTE_REGEX_NO);
    assert_int_equal(ask("(x+)+[yz]", "xxxxxxxxxxxxxxxxxxx"), ROUTE_REGEX_GAVE_UP);
}

static void a_long_value_is_no_reason_to_give_up(void **state)
{
    (void)state;
    static char value[16 * 1024];
    memset(value, 'x', sizeof(value));
    struct route_regex *regex = compile("(?:x|y)*");
    assert_int_equal(route_regex_matches(regex, value, sizeof(value)), ROUTE_REGEX_YES);
    route_regex_free(regex);
}

static void *match_often(void *regex)
{
    uintptr_t wrong = 0;
    for (int i = 0; i < 5000; i++) {
        wrong += route_regex_matches(regex, "v1.5", 4) != ROUTE_REGEX_YES;
        wrong += route_regex_matches(regex, "v2.5", 4) != ROUTE_REGEX_NO;
    }
    return (void *)wrong;
}

static void threads_share_an_expression(void **state)
{
    (void)state;
    struct route_regex *regex = compile("v1\\.(\\d)+");
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, match_often, regex), 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        void *wrong = NULL;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    route_regex_free(regex);
    route_regex_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_value_must_match),
        cmocka_unit_test(bad_expressions_are_named_with_their_offset),
        cmocka_unit_test(a_hostile_expression_gives_up_soon),
        cmocka_unit_test(steps_are_counted),
        cmocka_unit_test(a_long_value_is_no_reason_to_give_up),
        cmocka_unit_test(threads_share_an_expression),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
