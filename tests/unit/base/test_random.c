#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void numbers_stay_below_the_bound_and_reach_all_of_it(void **state)
{
    (void)state;
    unsigned seen[10] = {0};
    for (int i = 0; i < 10000; i++) {
        uint64_t number = random_below(10);
        assert_true(number < 10);
        seen[number]++;
    }
    for (size_t i = 0; i < 10; i++) { /* 1000 expected, standard deviation 30 */
        assert_in_range(seen[i], 700, 1300);
    }
    assert_int_equal(random_below(0), 0);
    assert_int_equal(random_below(1), 0);
}

static void large_bounds_are_uniform(void **state)
{
    (void)state;
    /* With x % bound alone the lower third of this bound would come twice as often. */
    uint64_t bound = UINT64_MAX / 3 * 2;
    unsigned low = 0;
    for (int i = 0; i < 9000; i++) {
        low += random_below(bound) < bound / 2;
    }
    assert_in_range(low, 4200, 4800);
}

static void units_spread_over_zero_to_one(void **state)
{
    (void)state;
    unsigned quarters[4] = {0};
    for (int i = 0; i < 10000; i++) {
        double unit = random_unit();
        assert_true(unit >= 0 && unit < 1);
        quarters[(int)(unit * 4)]++;
    }
    for (size_t i = 0; i < 4; i++) {
        assert_in_range(quarters[i], 2200, 2800);
    }
}

static void uuids_are_version_4_and_differ(void **state)
{
    (void)state;
    char first[RANDOM_UUID_BYTES];
    char second[RANDOM_UUID_BYTES];
    for (int i = 0; i < 100; i++) {
        random_uuid(first);
        random_uuid(second);
        assert_string_not_equal(first, second);
        assert_int_equal(strlen(first), 36);
        for (size_t at = 0; at < 36; at++) {
            bool hyphen = at == 8 || at == 13 || at == 18 || at == 23;
            assert_non_null(strchr(hyphen ? "-" : "0123456789abcdef", first[at]));
        }
        assert_int_equal(first[14], '4');
        assert_non_null(strchr("89ab", first[19]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_stay_below_the_bound_and_reach_all_of_it),
        cmocka_unit_test(large_bounds_are_uniform),
        cmocka_unit_test(units_spread_over_zero_to_one),
        cmocka_unit_test(uuids_are_version_4_and_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
