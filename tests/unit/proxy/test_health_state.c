/* What a row of results makes of an endpoint's health. */
#include "proxy/health_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Healths after each result of a row, as letters: u(nknown), h(ealthy), x (unhealthy). Results:
 * '+' passed, '-' fault, 'n' declined; '!' is no check, but a worker that lost the endpoint. */
static const char *run(struct proxy_health_thresholds thresholds, enum endpoint_health health,
                       const char *results)
{
    static char text[64];
    struct proxy_health_streak streak = {0};
    size_t len = strlen(results);
    for (size_t i = 0; i < len; i++) {
        enum proxy_health_result result = results[i] == '+'   ? PROXY_HEALTH_PASSED
                                          : results[i] == 'n' ? PROXY_HEALTH_DECLINED
                                                              : PROXY_HEALTH_FAULT;
        health = results[i] == '!' ? ENDPOINT_UNHEALTHY
                                   : proxy_health_next(&thresholds, &streak, health, result);
        text[i] = "uhx"[health];
    }
    text[len] = '\0';
    return text;
}

struct row {
    struct proxy_health_thresholds thresholds;
    const char *results;
    const char *healths;
};

static void rows_of_results(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {{2, 1}, "+", "h"}, /* the first one decides */
        {{2, 1}, "-", "x"},
        {{2, 1}, "n", "x"},
        {{9, 9}, "+", "h"},
        {{9, 9}, "-", "x"},
        {{2, 1}, "+-+-+-+", "hhhhhhh"}, /* late once */
        {{2, 1}, "+--", "hhx"},
        {{2, 1}, "+--+-+", "hhxhhh"}, /* a new row begins */
        {{2, 1}, "+--+--", "hhxhhx"},
        {{1, 1}, "+-+-", "hxhx"},
        {{3, 1}, "+--+---", "hhhhhhx"},
        {{9, 1}, "+n+n", "hxhx"}, /* an answer counts at once */
        {{2, 3}, "+--++-+++", "hhxxxxxxh"},
        {{2, 3}, "+n++n+++", "hxxxxxxh"},
        {{2, 2}, "-++", "xxh"},
        {{2, 1}, "+!+", "hxh"},
        {{2, 2}, "++!++", "hhxxh"},     /* those before it do not count */
        {{2, 3}, "-++!+++", "xxxxhhh"}, /* which was no news */
        {{2, 1}, "+-!-+-", "hhxxhh"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(run(rows[i].thresholds, ENDPOINT_UNKNOWN, rows[i].results),
                            rows[i].healths);
    }
}

/* Long rows do not wrap into something else. */
static void a_row_may_be_long(void **state)
{
    (void)state;
    struct proxy_health_streak streak = {.failed = 70000};
    const struct proxy_health_thresholds thresholds = {2, 1};
    assert_int_equal(proxy_health_next(&thresholds, &streak, ENDPOINT_HEALTHY, PROXY_HEALTH_FAULT),
                     ENDPOINT_UNHEALTHY);
    assert_int_equal(streak.failed, 70001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_results),
        cmocka_unit_test(a_row_may_be_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
