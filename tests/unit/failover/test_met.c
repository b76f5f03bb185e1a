#include "scene.h"

#include <math.h>

/* `each` streams of v1.1 and of v1.2; where `apart`, each version is on a pod of its own. */
static struct failover_result *two_versions(size_t each, bool apart)
{
    struct failover_result *result = scene_new(2 * each);
    for (size_t i = 0; i < 2 * each; i++) {
        result->streams[i].version = i < each ? "v1.1" : "v1.2";
        scene_answer(result, i, (apart ? i < each : i % 2) ? "a" : "b", "v1", 100, 3000, true);
    }
    return result;
}

static void interrupt(struct failover_result *result, const char *pod)
{
    for (size_t i = 0; i < result->stream_count; i++) {
        const struct failover_pod *before =
            failover_lanes_before(&result->history, &result->streams[i].lanes);
        if (strcmp(before->name, pod) == 0) {
            snprintf(result->streams[i].cause, FAILOVER_CAUSE_BYTES, "UNAVAILABLE");
        }
    }
}

static enum failover_meeting meeting_of(const struct failover_result *result, const char *version)
{
    for (size_t i = 0; i < result->found.mets.count; i++) {
        if (strcmp(result->found.mets.all[i].version, version) == 0) {
            return result->found.mets.all[i].meeting;
        }
    }
    fail_msg("%s is not told", version);
    return FAILOVER_UNTOUCHED;
}

static void a_version_that_shares_the_backend_is_missed(void **state)
{
    struct failover_result *result = two_versions(5, true);
    interrupt(result, "a");
    scene_end(result, 3050);
    assert_int_equal(meeting_of(result, "v1.1"), FAILOVER_MET);
    assert_int_equal(meeting_of(result, "v1.2"), FAILOVER_MISSED);
    assert_int_equal(failover_exit_code(result), 4);
    scene_free(result);
    (void)state;
}

static void a_fault_that_meets_all_of_a_backend_is_good(void **state)
{
    struct failover_result *result = two_versions(6, false);
    interrupt(result, "a");
    scene_end(result, 3050);
    assert_int_equal(meeting_of(result, "v1.1"), FAILOVER_MET);
    assert_int_equal(meeting_of(result, "v1.2"), FAILOVER_MET);
    assert_int_equal(failover_exit_code(result), 0);
    scene_free(result);
    (void)state;
}

static void what_the_fault_left_alone_is_missed_only_where_it_is_asked_for(void **state)
{
    for (int asked = 0; asked <= 1; asked++) {
        static const char *const must[] = {"v1.2"};
        struct failover_result *result = two_versions(5, true);
        result->must_meet = must;
        result->must_meet_count = (size_t)asked;
        scene_end(result, 3050);
        assert_int_equal(meeting_of(result, "v1.1"), FAILOVER_UNTOUCHED);
        assert_int_equal(meeting_of(result, "v1.2"), asked ? FAILOVER_MISSED : FAILOVER_UNTOUCHED);
        assert_int_equal(failover_exit_code(result), asked ? 4 : 0);
        scene_free(result);
    }
    (void)state;
}

/* Five and five streams on two pods of five: C(5,5)/C(10,5) for each version. */
static void the_probability_is_exact_but_for_the_bound(void **state)
{
    struct failover_result *result = two_versions(5, true);
    scene_end(result, 3050);
    assert_true(fabs(result->found.mets.probability - (1 - 2.0 / 252)) < 1e-9);
    assert_int_equal(result->found.mets.agents_for_99_percent, 10);
    scene_free(result);

    result = two_versions(2, false); /* two and two on two pods: 2 * 1/6 */
    scene_end(result, 3050);
    assert_true(fabs(result->found.mets.probability - (1 - 2.0 / 6)) < 1e-9);
    assert_int_equal(result->found.mets.agents_for_99_percent, 12); /* six and six: 2/924 */
    scene_free(result);
    (void)state;
}

/* The order is random, so the chance can be measured: one pod of three, twenty streams. */
static void the_probability_is_what_shuffles_show(void **state)
{
    enum { STREAMS_OF_V1 = 9, RUNS = 20000 };
    uint64_t seed = 1;
    unsigned met = 0;
    struct failover_result *result = scene_new(STREAMS_OF_V1);
    for (size_t i = 0; i < STREAMS_OF_V1; i++) {
        static const char *const pods[] = {"a", "b", "c"};
        result->streams[i].version = i % 2 ? "v1.1" : "v1.2"; /* four and five */
        scene_answer(result, i, pods[i % 3], "v1", 100, 3000, true);
    }
    scene_end(result, 3050);
    for (int run = 0; run < RUNS; run++) {
        unsigned of_first = 0;
        for (size_t drawn = 0, left = STREAMS_OF_V1, some = 4; drawn < 3; drawn++, left--) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
            if ((seed >> 33) % left < some) {
                some--;
                of_first++;
            }
        }
        met += of_first > 0 && of_first < 3;
    }
    assert_true(fabs((double)met / RUNS - result->found.mets.probability) < 0.02);
    scene_free(result);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_version_that_shares_the_backend_is_missed),
        cmocka_unit_test(a_fault_that_meets_all_of_a_backend_is_good),
        cmocka_unit_test(what_the_fault_left_alone_is_missed_only_where_it_is_asked_for),
        cmocka_unit_test(the_probability_is_exact_but_for_the_bound),
        cmocka_unit_test(the_probability_is_what_shuffles_show),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
