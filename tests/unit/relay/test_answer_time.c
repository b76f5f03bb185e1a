/* Answer times: quantiles within the stated error, of the samples between two moments. */
#include "relay/answer_time.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void one_value_is_found_within_a_sixteenth(void **state)
{
    (void)state;
    static const uint64_t none[ANSWER_TIME_BUCKETS];
    for (double us = 1; us < 60e6; us *= 1.07) {
        struct answer_time times;
        uint64_t sums[ANSWER_TIME_BUCKETS] = {0};
        memset(&times, 0, sizeof(times));
        answer_time_add(&times, (uint64_t)(us * 1000));
        answer_time_sum(&times, sums);
        double found = answer_time_quantile(none, sums, 0.5);
        assert_true(fabs(found - us) <= us / 16 + 0.5);
    }
}

static void only_samples_in_between_count(void **state)
{
    (void)state;
    struct answer_time times;
    uint64_t before[ANSWER_TIME_BUCKETS] = {0};
    uint64_t after[ANSWER_TIME_BUCKETS] = {0};
    memset(&times, 0, sizeof(times));
    answer_time_add(&times, 5000000000);
    answer_time_sum(&times, before);
    assert_true(answer_time_quantile(before, before, 0.5) < 0);
    for (int i = 0; i < 98; i++) {
        answer_time_add(&times, 10000);
    }
    answer_time_add(&times, 20000);
    answer_time_add(&times, UINT64_MAX);
    answer_time_sum(&times, after);
    assert_true(fabs(answer_time_quantile(before, after, 0.5) - 10.5) < 0.01);
    assert_true(fabs(answer_time_quantile(before, after, 0.99) - 20.5) < 0.01);
    assert_true(answer_time_quantile(before, after, 1) > 60e6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_value_is_found_within_a_sixteenth),
        cmocka_unit_test(only_samples_in_between_count),
    };
    return cmocka_run_group_tests_name("relay/answer_time", tests, NULL, NULL);
}
