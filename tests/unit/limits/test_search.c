/* The search for the largest value that passes finds it, in few tries, and whatever the limit is.
 */
#include "limits/search.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Searches a path that takes up to `limit`. Returns how many tries that took. */
static unsigned run(struct limits_search *search, uint64_t limit)
{
    unsigned tries = 0;
    uint64_t value = limits_search_next(search);
    while (value != 0) {
        assert_in_range(value, 1, search->most);
        assert_in_range(tries++, 0, 63);
        limits_search_told(search, value <= limit);
        value = limits_search_next(search);
    }
    return tries;
}

static void every_limit_is_found(void **state)
{
    (void)state;
    for (uint64_t limit = 0; limit < 200; limit++) {
        struct limits_search search;
        limits_search_init(&search, 8, 200, 1);
        assert_in_range(run(&search, limit), 1, 14);
        assert_in_range(limit, search.passed, search.refused - 1);
        uint64_t near = search.passed / LIMITS_SEARCH_SHARE;
        assert_in_range(search.refused - search.passed, 1, near > 1 ? near : 1);
    }
}

static void no_limit_is_told_as_none(void **state)
{
    (void)state;
    struct limits_search search;
    limits_search_init(&search, 1024, 4 * 1024 * 1024, 256);
    assert_int_equal(run(&search, UINT64_MAX), 13);
    assert_int_equal(search.passed, 4 * 1024 * 1024);
    assert_int_equal(search.refused, 0);
}

static void the_most_is_tried_and_may_be_what_is_refused(void **state)
{
    (void)state;
    struct limits_search search;
    limits_search_init(&search, 8, 200, 1);
    run(&search, 199);
    assert_in_range(search.refused, 200, 200);
    assert_in_range(search.passed, 197, 199);
}

static void a_first_and_only_value_is_enough(void **state)
{
    (void)state;
    struct limits_search search;
    limits_search_init(&search, 5, 5, 1);
    assert_int_equal(run(&search, 5), 1);
    assert_int_equal(search.refused, 0);
    limits_search_init(&search, 5, 5, 1);
    run(&search, 0);
    assert_int_equal(search.passed, 0);
    assert_int_equal(search.refused, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_limit_is_found),
        cmocka_unit_test(no_limit_is_told_as_none),
        cmocka_unit_test(the_most_is_tried_and_may_be_what_is_refused),
        cmocka_unit_test(a_first_and_only_value_is_enough),
    };
    return cmocka_run_group_tests_name("limits/search", tests, NULL, NULL);
}
