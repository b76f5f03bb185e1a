/* Tails against sums of exact fractions (Python's), intervals against the equations that define
 * them. */
#include "check/binomial.h"

#include "base/mem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The logarithm of a million's factorial is 1.3e7; a double keeps 2e-9 of that. */
#define LOGARITHM_ERROR 2e-9

static void assert_near(double value, double expected, double relative)
{
    if (!(fabs(value - expected) <= relative * fabs(expected) + 1e-300)) {
        fail_msg("%.17g is not %.17g", value, expected);
    }
}

static void tails_are_those_of_exact_fractions(void **state)
{
    (void)state;
    static const struct {
        uint64_t n, k;
        double p, at_most, at_least;
    } cases[] = {
        {10, 3, 0.25, 0.7758750915527344, 0.4744071960449219},
        {10, 0, 0.1, 0.3486784401, 1.0},
        {1, 0, 0.5, 0.5, 1.0},
        {290, 40, 0.1, 0.9846817905358969, 0.023632577895341518},
        {290, 12, 0.1, 0.00017683426571482458, 0.9999347708794645},
        {290, 60, 0.1, 0.9999999803265622, 4.761515148422246e-08},
        {1000, 5, 0.001, 0.999411929898237, 0.0036368780295217905},
        {1000, 990, 0.99, 0.5426994078251103, 0.5830408033010971},
        {1000, 480, 0.5, 0.10872414660207047, 0.9026168357691172},
        {1000, 400, 0.5, 1.3642320780330092e-10, 0.9999999999099158},
        {20, 20, 0.3333333333333333, 1.0, 2.867971990792438e-10},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_near(binomial_at_most(cases[i].n, cases[i].k, cases[i].p), cases[i].at_most, 1e-11);
        assert_near(binomial_at_least(cases[i].n, cases[i].k, cases[i].p), cases[i].at_least,
                    1e-11);
    }
}

static void the_ends_are_certain_or_impossible(void **state)
{
    (void)state;
    assert_true(binomial_at_most(10, 10, 0.3) == 1 && binomial_at_most(10, 11, 0.3) == 1);
    assert_true(binomial_at_least(10, 0, 0.3) == 1 && binomial_at_least(10, 11, 0.3) == 0);
    assert_true(binomial_at_most(10, 3, 0) == 1 && binomial_at_least(10, 1, 0) == 0);
    assert_true(binomial_at_most(10, 9, 1) == 0 && binomial_at_least(10, 10, 1) == 1);
}

static void both_tails_of_many_draws_meet(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 1000000; n *= 10) {
        for (double p = 0.001; p < 1; p += 0.0999) {
            uint64_t k = (uint64_t)((double)n * p);
            double below = k > 0 ? binomial_at_most(n, k - 1, p) : 0;
            assert_near(below + binomial_at_least(n, k, p), 1, LOGARITHM_ERROR);
        }
    }
}

static void intervals_are_those_of_exact_fractions(void **state)
{
    (void)state;
    static const struct {
        uint64_t n, k;
        double alpha, low, high;
    } cases[] = {
        {10, 0, 0.05, 0, 0.3084971078169474},
        {10, 3, 0.05, 0.06673951117772958, 0.6524528500594897},
        {10, 10, 0.01, 0.588704018649878, 1},
        {60, 7, 0.01, 0.035138210812874604, 0.26212154193854076},
        {1, 1, 0.05, 0.025, 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        double low;
        double high;
        binomial_interval(cases[i].n, cases[i].k, cases[i].alpha, &low, &high);
        assert_near(low, cases[i].low, 1e-8);
        assert_near(high, cases[i].high, 1e-8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tails_are_those_of_exact_fractions),
        cmocka_unit_test(the_ends_are_certain_or_impossible),
        cmocka_unit_test(both_tails_of_many_draws_meet),
        cmocka_unit_test(intervals_are_those_of_exact_fractions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
