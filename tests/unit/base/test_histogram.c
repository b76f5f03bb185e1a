#include "base/histogram.h"

#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SAMPLES 20000

static int by_value(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* Within 1/256 of the exact nearest-rank value of the sorted samples. */
static void assert_quantiles_match(const struct histogram *histogram, uint64_t *samples,
                                   size_t count)
{
    static const unsigned PER_MILLE[] = {0, 1, 10, 250, 500, 750, 900, 950, 990, 999, 1000};
    qsort(samples, count, sizeof(samples[0]), by_value);
    assert_int_equal(histogram->min_ns, samples[0]);
    assert_int_equal(histogram->max_ns, samples[count - 1]);
    for (size_t i = 0; i < sizeof(PER_MILLE) / sizeof(PER_MILLE[0]); i++) {
        size_t rank = (count * PER_MILLE[i] + 999) / 1000;
        uint64_t exact = samples[rank > 0 ? rank - 1 : 0];
        uint64_t shown = histogram_quantile(histogram, PER_MILLE[i] / 1000.0);
        uint64_t error = shown > exact ? shown - exact : exact - shown;
        assert_true(error * 256 <= exact);
    }
}

static void quantiles_agree_with_an_exact_sort(void **state)
{
    (void)state;
    static uint64_t samples[SAMPLES];
    for (unsigned magnitude = 1; magnitude <= 42; magnitude++) {
        struct histogram histogram = {0};
        size_t count = magnitude % 7 == 0 ? 7 : SAMPLES / magnitude;
        for (size_t i = 0; i < count; i++) {
            samples[i] = random_below(UINT64_C(1) << (1 + random_below(magnitude)));
            histogram_add(&histogram, samples[i]);
        }
        assert_int_equal(histogram.count, count);
        assert_quantiles_match(&histogram, samples, count);
    }
}

static void every_value_is_shown_within_one_part_in_256(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit <= 42; bit++) {
        for (int delta = -3; delta <= 3; delta++) {
            uint64_t value = (UINT64_C(1) << bit) + (uint64_t)(int64_t)delta;
            if (value > HISTOGRAM_MAX_NS) {
                continue;
            }
            struct histogram histogram = {0};
            histogram_add(&histogram, 0); /* keeps minimum and maximum from giving the answer */
            histogram_add(&histogram, value);
            histogram_add(&histogram, HISTOGRAM_MAX_NS);
            uint64_t shown = histogram_quantile(&histogram, 0.5);
            uint64_t error = shown > value ? shown - value : value - shown;
            assert_true(error * 256 <= value);
        }
    }
}

static void small_values_are_exact(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    for (uint64_t value = 1; value <= 100; value++) {
        histogram_add(&histogram, value);
    }
    for (uint64_t percent = 1; percent <= 100; percent++) { /* also 0.07 * 100 > 7 */
        assert_int_equal(histogram_quantile(&histogram, (double)percent / 100), percent);
    }
    assert_int_equal(histogram.sum_ns, 5050);
}

static void an_empty_histogram_shows_zero(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
    assert_int_equal(histogram_quantile(&histogram, 1), 0);
    assert_int_equal(histogram_count_up_to(&histogram, UINT64_MAX), 0);
}

static void larger_values_count_as_the_maximum(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    histogram_add(&histogram, UINT64_MAX);
    histogram_add(&histogram, HISTOGRAM_MAX_NS + 1);
    assert_int_equal(histogram.max_ns, HISTOGRAM_MAX_NS);
    assert_int_equal(histogram.min_ns, HISTOGRAM_MAX_NS);
    assert_int_equal(histogram.sum_ns, 2 * HISTOGRAM_MAX_NS);
    assert_int_equal(histogram_quantile(&histogram, 0.5), HISTOGRAM_MAX_NS);
    assert_int_equal(histogram_count_up_to(&histogram, UINT64_MAX), 2);
}

/* 1003519 is the last value of its bucket, whose middle is 1001472. */
static void the_highest_quantile_is_the_maximum_itself(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    for (uint64_t i = 0; i < 10; i++) {
        histogram_add(&histogram, 1000 * (i + 1));
    }
    histogram_add(&histogram, 1003519);
    assert_int_equal(histogram_quantile(&histogram, 1), 1003519);
    assert_int_equal(histogram_quantile(&histogram, 0.99), 1003519);
    assert_true(histogram_quantile(&histogram, 0.9) < 11000);
}

static void merging_equals_adding_everything_to_one(void **state)
{
    (void)state;
    struct histogram parts[3] = {0};
    struct histogram whole = {0};
    struct histogram merged = {0};
    for (size_t i = 0; i < 3000; i++) {
        uint64_t value = random_below(UINT64_C(1) << 30);
        histogram_add(&parts[i % 2], value); /* the third stays empty */
        histogram_add(&whole, value);
    }
    histogram_merge(&merged, &parts[2]);
    histogram_merge(&merged, &parts[0]);
    histogram_merge(&merged, &parts[1]);
    histogram_merge(&merged, &parts[2]);
    assert_memory_equal(&merged, &whole, sizeof(whole));
}

static void counting_up_to_a_bound_includes_its_bucket(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    histogram_add(&histogram, 5);
    histogram_add(&histogram, 100);
    histogram_add(&histogram, 1000000);
    assert_int_equal(histogram_count_up_to(&histogram, 4), 0);
    assert_int_equal(histogram_count_up_to(&histogram, 5), 1);
    assert_int_equal(histogram_count_up_to(&histogram, 99), 1);
    assert_int_equal(histogram_count_up_to(&histogram, 990000), 2);
    assert_int_equal(histogram_count_up_to(&histogram, 1000000), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_agree_with_an_exact_sort),
        cmocka_unit_test(every_value_is_shown_within_one_part_in_256),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(an_empty_histogram_shows_zero),
        cmocka_unit_test(larger_values_count_as_the_maximum),
        cmocka_unit_test(the_highest_quantile_is_the_maximum_itself),
        cmocka_unit_test(merging_equals_adding_everything_to_one),
        cmocka_unit_test(counting_up_to_a_bound_includes_its_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
