#include "failover/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka needs those first */
#include <cmocka.h>

#define MS UINT64_C(1000000)

/* A stream that is answered every 100 ms, with a silence from 250 ms on. */
struct scene {
    struct failover_history history;
    struct failover_lanes lanes;
};

static int begin(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    scene->history.silence_ns = 250 * MS;
    scene->history.gone_ns = 1000 * MS;
    *state = scene;
    return 0;
}

static int end(void **state)
{
    struct scene *scene = *state;
    failover_lanes_deinit(&scene->lanes);
    failover_history_deinit(&scene->history);
    free(scene);
    return 0;
}

static struct failover_pod pod_named(const char *name)
{
    struct failover_pod pod = {.version = "v1"};
    snprintf(pod.name, sizeof(pod.name), "%s", name);
    return pod;
}

static void answer(struct scene *scene, uint64_t at_ms, const char *pod, bool first)
{
    struct failover_pod of = pod_named(pod);
    failover_lanes_answer(&scene->history, &scene->lanes, at_ms * MS, &of, first, false);
}

static void assert_lane(const struct scene *scene, size_t number, const char *pod, uint64_t from_ms,
                        uint64_t to_ms)
{
    assert_true(number < scene->lanes.count);
    const struct failover_lane *lane = &scene->lanes.all[number];
    assert_string_equal(scene->history.pods[lane->pod].name, pod);
    assert_int_equal(lane->from_ns, from_ms * MS);
    assert_int_equal(lane->to_ns, to_ms * MS);
}

static void answers_of_one_call_are_one_lane(void **state)
{
    struct scene *scene = *state;
    for (uint64_t at = 100; at <= 1000; at += 100) {
        answer(scene, at, "a", at == 100);
    }
    assert_int_equal(scene->lanes.count, 1);
    assert_lane(scene, 0, "a", 100, 1000);
    assert_false(scene->lanes.all[0].reopened);
}

static void a_silence_a_move_and_a_new_call_each_begin_a_lane(void **state)
{
    struct scene *scene = *state;
    scene->history.fault_ns = 100 * MS;
    answer(scene, 100, "a", true);
    answer(scene, 350, "a", false); /* no silence yet */
    answer(scene, 601, "a", false); /* one */
    answer(scene, 700, "b", false);
    answer(scene, 800, "b", true);
    assert_int_equal(scene->lanes.count, 4);
    assert_lane(scene, 0, "a", 100, 350);
    assert_lane(scene, 1, "a", 601, 601);
    assert_lane(scene, 2, "b", 700, 700);
    assert_lane(scene, 3, "b", 800, 800);
    assert_false(scene->lanes.all[2].reopened);
    assert_true(scene->lanes.all[3].reopened);
    assert_int_equal(scene->history.pod_count, 2);
}

static void an_open_stream_holds_to_the_end_unless_it_is_gone(void **state)
{
    struct scene *scene = *state;
    answer(scene, 100, "a", true);
    failover_lanes_close(&scene->history, &scene->lanes, 1101 * MS);
    assert_lane(scene, 0, "a", 100, 100);
    failover_lanes_close(&scene->history, &scene->lanes, 1100 * MS);
    assert_lane(scene, 0, "a", 100, 1100);
    struct failover_lanes none = {0};
    failover_lanes_close(&scene->history, &none, 350 * MS);
    assert_int_equal(none.count, 0);
}

static void ends_and_reconnects_are_counted_from_the_fault_on(void **state)
{
    struct scene *scene = *state;
    answer(scene, 100, "a", true);
    failover_history_call_ended(&scene->history, 150 * MS);
    answer(scene, 200, "a", true);
    assert_int_equal(scene->history.bin_count, 0);
    scene->history.fault_ns = 300 * MS;
    failover_history_call_ended(&scene->history, 399 * MS);
    failover_history_call_ended(&scene->history, 400 * MS);
    answer(scene, 1250, "b", true);
    assert_int_equal(scene->history.bin_count, 10);
    assert_int_equal(scene->history.bins[0].ended, 1);
    assert_int_equal(scene->history.bins[1].ended, 1);
    assert_int_equal(scene->history.bins[9].back, 1);
    failover_history_call_ended(&scene->history,
                                UINT64_C(86400000) * MS); /* a day: in the last one */
    assert_int_equal(scene->history.bin_count, FAILOVER_BINS_MAX);
    assert_int_equal(scene->history.bins[FAILOVER_BINS_MAX - 1].ended, 1);
}

static void a_server_of_many_names_is_bounded(void **state)
{
    struct scene *scene = *state;
    for (unsigned i = 0; i < 5000; i++) {
        char pod[FAILOVER_NAME_BYTES];
        struct failover_lanes lanes = {0};
        snprintf(pod, sizeof(pod), "pod-%u", i);
        answer(scene, i, pod, i == 0);
        struct failover_pod of = pod_named(pod);
        failover_lanes_answer(&scene->history, &lanes, i * MS, &of, true, false);
        failover_lanes_deinit(&lanes);
    }
    assert_int_equal(scene->history.pod_count, FAILOVER_PODS_MAX);
    assert_string_equal(scene->history.pods[FAILOVER_PODS_MAX - 1].name, "(other pods)");
    assert_int_equal(scene->lanes.count, FAILOVER_LANES_MAX);
    assert_true(scene->lanes.cut);
    assert_int_equal(scene->lanes.all[FAILOVER_LANES_MAX - 1].to_ns, 4999 * MS);
}

static void what_is_wrong_is_never_cut_away(void **state)
{
    struct scene *scene = *state;
    struct failover_pod of = pod_named("a");
    for (unsigned i = 0; i < 200; i++) {
        failover_lanes_answer(&scene->history, &scene->lanes, i * 1000 * MS, &of, false, i == 199);
    }
    assert_true(scene->lanes.cut);
    assert_true(scene->lanes.all[FAILOVER_LANES_MAX - 1].wrong);
    assert_false(scene->lanes.all[0].wrong);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_of_one_call_are_one_lane, begin, end),
        cmocka_unit_test_setup_teardown(a_silence_a_move_and_a_new_call_each_begin_a_lane, begin,
                                        end),
        cmocka_unit_test_setup_teardown(an_open_stream_holds_to_the_end_unless_it_is_gone, begin,
                                        end),
        cmocka_unit_test_setup_teardown(ends_and_reconnects_are_counted_from_the_fault_on, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_server_of_many_names_is_bounded, begin, end),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_never_cut_away, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
