#include "scene.h"

/* Reconnects in bins of 100 ms from the fault on; each stream ended in the first. */
static struct failover_result *reconnects(const uint32_t *counts, size_t bins)
{
    struct failover_result *result = scene_new(1);
    result->history.bins = calloc(FAILOVER_BINS_MAX, sizeof(*result->history.bins));
    result->history.bin_count = bins;
    result->history.bins[0].ended = 1;
    for (size_t i = 0; i < bins; i++) {
        result->history.bins[i].back = counts[i];
    }
    result->max_herd = 3;
    scene_end(result, 20000);
    return result;
}

static int judged(const struct failover_result *result)
{
    struct failover_limit limits[FAILOVER_LIMITS_MAX];
    assert_int_equal(failover_limits(result, limits), 5);
    assert_string_equal(limits[4].text, "herd<=3");
    return failover_limit_exit(result, &limits[4]);
}

static void all_at_once_is_a_herd(void **state)
{
    const uint32_t counts[] = {0, 100};
    struct failover_result *result = reconnects(counts, 2);
    assert_int_equal(result->found.herd.peak, 100);
    assert_int_equal(result->found.herd.peak_ns, 100 * MS);
    assert_int_equal(result->found.herd.bins, FAILOVER_HERD_BINS_MIN);
    assert_true(result->found.herd.ratio > 9.99 && result->found.herd.ratio < 10.01);
    assert_int_equal(judged(result), 1);
    scene_free(result);
    (void)state;
}

static void one_after_the_other_is_none(void **state)
{
    const uint32_t counts[20] = {9,  11, 8, 12, 10, 10, 9,  11, 13, 7,
                                 10, 10, 6, 14, 10, 10, 10, 10, 10, 10};
    struct failover_result *result = reconnects(counts, 20);
    assert_int_equal(result->found.herd.count, 200);
    assert_true(result->found.herd.ratio > 1.39 && result->found.herd.ratio < 1.41);
    assert_int_equal(judged(result), 0);
    scene_free(result);
    (void)state;
}

static void two_waves_are_a_herd(void **state)
{
    uint32_t counts[40] = {0};
    counts[1] = counts[39] = 50;
    struct failover_result *result = reconnects(counts, 40);
    assert_true(result->found.herd.ratio > 19);
    assert_int_equal(judged(result), 1);
    scene_free(result);
    (void)state;
}

static void few_prove_nothing(void **state)
{
    const uint32_t one[] = {0, 1};
    const uint32_t pairs[] = {0, 2, 0, 1, 0, 0, 1, 0, 1, 0, 1};
    struct failover_result *result = reconnects(one, 2);
    assert_true(result->found.herd.chance > 0.99);
    assert_int_equal(judged(result), 4);
    scene_free(result);
    result = reconnects(pairs, 11);
    assert_true(result->found.herd.ratio > 3);
    assert_int_equal(judged(result), 4);
    scene_free(result);
    (void)state;
}

static void nobody_is_no_herd(void **state)
{
    const uint32_t none[] = {0, 0};
    struct failover_result *result = reconnects(none, 2);
    assert_true(result->found.herd.ratio == 0);
    assert_int_equal(judged(result), 0);
    scene_free(result);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_at_once_is_a_herd), cmocka_unit_test(one_after_the_other_is_none),
        cmocka_unit_test(two_waves_are_a_herd),  cmocka_unit_test(few_prove_nothing),
        cmocka_unit_test(nobody_is_no_herd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
