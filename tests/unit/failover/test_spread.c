#include "scene.h"

/* Streams on pods a and b in turn, from 100 ms on. */
static struct failover_result *on_two_pods(size_t streams, uint64_t to_ms)
{
    struct failover_result *result = scene_new(streams);
    for (size_t i = 0; i < streams; i++) {
        scene_answer(result, i, i % 2 == 0 ? "a" : "b", "v1", 100, to_ms, true);
    }
    return result;
}

static const struct failover_spread *only(const struct failover_result *result)
{
    assert_int_equal(result->found.spreads.count, 1);
    return &result->found.spreads.all[0];
}

static void streams_that_stay_are_even_all_the_time(void **state)
{
    struct failover_result *result = on_two_pods(10, 5000);
    scene_end(result, 5050);
    const struct failover_spread *spread = only(result);
    assert_string_equal(spread->backend, "v1");
    assert_int_equal(spread->streams, 10);
    assert_true(spread->before_percent == 0 && spread->after_percent == 0);
    assert_int_equal(spread->even_after_ns, 0);
    assert_int_equal(spread->pods_after, 2);
    assert_null(spread->unknown);
    scene_free(result);
    (void)state;
}

static void pods_without_a_stream_make_it_uneven(void **state)
{
    struct failover_result *result = on_two_pods(40, 5000);
    scene_called(result, "c", "v1");
    scene_called(result, "d", "v1");
    scene_called(result, "e", "v2"); /* of another backend */
    scene_end(result, 5050);
    const struct failover_spread *spread = only(result);
    assert_int_equal(spread->pods_after, 4);
    assert_true(spread->before_percent == 0);
    assert_true(spread->after_percent == 100); /* 20 instead of 10, and 0 instead of 10 */
    assert_true(spread->even_after_ns == FAILOVER_NEVER);
    scene_free(result);
    (void)state;
}

/* a ends at 1000; its streams come to b one by one, the last of ten at 2000 + 100. */
static void time_until_even_is_that_of_the_last_stream_that_matters(void **state)
{
    struct failover_result *result = scene_new(20);
    for (size_t i = 0; i < 20; i++) {
        bool moves = i % 2 == 0;
        scene_answer(result, i, moves ? "a" : "b", "v1", 100, moves ? 1000 : 5000, true);
        if (moves) {
            scene_answer(result, i, "b", "v1", 1100 + 100 * (i / 2), 5000, true);
        }
    }
    scene_end(result, 5050);
    const struct failover_spread *spread = only(result);
    assert_int_equal(spread->pod_count, 2);
    assert_int_equal(spread->pods_after, 1);
    assert_true(spread->after_percent == 0);
    /* 18 of 20 is 10 % off: after eight of ten, at 1800 */
    assert_int_equal(spread->even_after_ns, 800 * MS);
    assert_true(spread->point_count > 5);
    assert_int_equal(spread->points[spread->point_count - 1].absent, 0);
    scene_free(result);
    (void)state;
}

static void what_becomes_even_at_the_very_end_was_not_even_before(void **state)
{
    struct failover_result *result = scene_new(4);
    for (size_t i = 0; i < 4; i++) {
        scene_answer(result, i, i % 2 ? "b" : "a", "v1", 100, i % 2 ? 2000 : 1000, true);
        if (i % 2 == 0) {
            scene_answer(result, i, "b", "v1", 2020, 2020, true);
        }
    }
    scene_end(result, 2040);
    assert_true(only(result)->after_percent == 0);
    assert_int_equal(only(result)->even_after_ns, 1040 * MS);
    scene_free(result);
    (void)state;
}

static void less_than_one_stream_is_no_deviation(void **state)
{
    struct failover_result *result = scene_new(10);
    const char *const pods[] = {"a", "b", "c", "d"}; /* 3, 3, 2, 2 of 2.5 */
    for (size_t i = 0; i < 10; i++) {
        scene_answer(result, i, pods[i % 4], "v1", 100, 3000, true);
    }
    scene_end(result, 3050);
    assert_true(only(result)->after_percent == 0);
    scene_free(result);

    result = scene_new(10);
    for (size_t i = 0; i < 10; i++) { /* 6 and 4 of 5 */
        scene_answer(result, i, i < 6 ? "a" : "b", "v1", 100, 3000, true);
    }
    scene_end(result, 3050);
    assert_true(only(result)->after_percent == 20);
    scene_free(result);
    (void)state;
}

static void backends_are_judged_apart(void **state)
{
    struct failover_result *result = scene_new(12);
    for (size_t i = 0; i < 12; i++) {
        bool two = i >= 8;
        scene_answer(result, i, two ? "x" : i % 2 ? "a" : "b", two ? "v2" : "v1", 100, 3000, true);
    }
    scene_called(result, "y", "v2");
    scene_end(result, 3050);
    assert_int_equal(result->found.spreads.count, 2);
    assert_true(result->found.spreads.all[0].after_percent == 0);
    assert_true(result->found.spreads.all[1].after_percent == 100);
    scene_free(result);
    (void)state;
}

static void pods_of_one_name_and_two_versions_are_two(void **state)
{
    struct failover_result *result = scene_new(2);
    scene_answer(result, 0, "a", "v1", 100, 2000, true);
    scene_answer(result, 1, "a", "v2", 100, 2000, true);
    scene_end(result, 2050);
    assert_int_equal(result->history.pod_count, 2);
    assert_int_equal(result->found.spreads.count, 2);
    scene_free(result);
    (void)state;
}

static void a_pause_within_a_call_does_not_move_a_stream(void **state)
{
    struct failover_result *result = on_two_pods(4, 1500);
    for (size_t i = 0; i < 4; i++) {
        scene_answer(result, i, i % 2 == 0 ? "a" : "b", "v1", 3000, 4000, false);
    }
    scene_end(result, 4050);
    assert_int_equal(only(result)->even_after_ns, 0);
    scene_free(result);
    (void)state;
}

static void a_stopped_pod_is_there_and_holds_nobody(void **state)
{
    struct failover_result *result = scene_new(10);
    for (size_t i = 0; i < 10; i++) {
        bool stopped = i % 2 == 0;
        scene_answer(result, i, stopped ? "a" : "b", "v1", 100, stopped ? 1000 : 9000, true);
        if (stopped) {
            result->streams[i].silence = (struct failover_silence){.from_ns = 1000 * MS,
                                                                   .took_ns = 8000 * MS,
                                                                   .pod = "a",
                                                                   .version = "v1",
                                                                   .end = FAILOVER_HOLE_OPEN};
        }
    }
    scene_end(result, 9050);
    const struct failover_spread *spread = only(result);
    assert_true(spread->pods[0].there);
    assert_int_equal(spread->pods[0].silent, 5);
    assert_true(spread->after_percent == 100);
    assert_int_equal(result->found.holes.count, 1);
    assert_int_equal(result->found.holes.all[0].ends[FAILOVER_HOLE_OPEN], 5);
    assert_false(failover_is_all_silent(result));
    scene_free(result);
    (void)state;
}

static void what_cannot_be_known_is_not_judged(void **state)
{
    struct failover_result *result = on_two_pods(4, 3000);
    result->streams[2].podless = 1;
    scene_end(result, 3050);
    assert_non_null(only(result)->unknown);
    scene_free(result);

    result = on_two_pods(2, 3000);
    scene_called(result, "c", "v1"); /* fewer streams than pods */
    scene_end(result, 3050);
    assert_non_null(only(result)->unknown);
    scene_free(result);
    (void)state;
}

static void hours_stay_bounded(void **state)
{
    struct failover_result *result = scene_new(2);
    for (uint64_t i = 0; i < FAILOVER_LANES_MAX; i++) {
        scene_answer(result, 0, i % 2 ? "a" : "b", "v1", 500 + 60000 * i, 700 + 60000 * i, true);
    }
    scene_answer(result, 1, "a", "v1", 500, 900, true);
    scene_end(result, UINT64_C(100) * 3600 * 1000);
    assert_true(only(result)->point_count <= FAILOVER_POINTS_MAX + 1);
    scene_free(result);
    (void)state;
}

static void limits_are_kept_missed_or_open(void **state)
{
    struct failover_limit limits[FAILOVER_LIMITS_MAX];
    for (int made = 0; made <= 1; made++) {
        for (int more = 0; more <= 1; more++) {
            struct failover_result *result = on_two_pods(40, 3000);
            result->max_spread_percent = 10;
            result->roll_call.wanted = true;
            result->roll_call.made = made;
            if (more) {
                scene_called(result, "c", "v1");
            }
            scene_end(result, 3050);
            assert_int_equal(failover_limits(result, limits), 5);
            assert_string_equal(limits[4].text, "spread<=10%");
            int expected = more ? 1 : made ? 0 : 4;
            assert_int_equal(failover_limit_exit(result, &limits[4]), expected);
            assert_int_equal(failover_exit_code(result), expected);
            scene_free(result);
        }
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_that_stay_are_even_all_the_time),
        cmocka_unit_test(pods_without_a_stream_make_it_uneven),
        cmocka_unit_test(time_until_even_is_that_of_the_last_stream_that_matters),
        cmocka_unit_test(what_becomes_even_at_the_very_end_was_not_even_before),
        cmocka_unit_test(less_than_one_stream_is_no_deviation),
        cmocka_unit_test(backends_are_judged_apart),
        cmocka_unit_test(pods_of_one_name_and_two_versions_are_two),
        cmocka_unit_test(a_pause_within_a_call_does_not_move_a_stream),
        cmocka_unit_test(a_stopped_pod_is_there_and_holds_nobody),
        cmocka_unit_test(what_cannot_be_known_is_not_judged),
        cmocka_unit_test(hours_stay_bounded),
        cmocka_unit_test(limits_are_kept_missed_or_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
