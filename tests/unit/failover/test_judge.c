/* Each fault of a stream alone fails the test, in its own result and in that of all. */
#include "scene.h"

#include "cli/exit.h"
#include "failover/result.h"

#include <signal.h>

struct fault {
    const char *name;
    void (*make)(struct failover_stream *stream);
    size_t limit; /* that it goes over; FAILOVER_LIMITS_MAX: of none */
};

static void leave(struct failover_stream *stream)
{
    stream->back = false;
}

static void silence(struct failover_stream *stream)
{
    stream->gap_ns = 10000 * MS + 1;
}

static void misroute(struct failover_stream *stream)
{
    stream->misrouted = 1;
}

static void answer_twice(struct failover_stream *stream)
{
    stream->repeated = 1;
}

static void confuse(struct failover_stream *stream)
{
    stream->disordered = 1;
}

static void move(struct failover_stream *stream)
{
    stream->moved = 1;
}

static void end_badly(struct failover_stream *stream)
{
    stream->end = FAILOVER_END_BAD;
}

static const struct fault faults[] = {
    {"gap", silence, 0},
    {"not back", leave, 1},
    {"misrouted", misroute, 2},
    {"repeated", answer_twice, 3},
    {"disordered", confuse, FAILOVER_LIMITS_MAX},
    {"moved", move, FAILOVER_LIMITS_MAX},
    {"ended badly", end_badly, FAILOVER_LIMITS_MAX},
};
#define FAULTS (sizeof(faults) / sizeof(faults[0]))

/* Three streams on one pod, of which the second has the fault. */
static struct failover_result *three_with(const struct fault *fault)
{
    struct failover_result *result = scene_new(3);
    for (size_t i = 0; i < 3; i++) {
        scene_answer(result, i, "a", "v1", 100, 3000, true);
    }
    if (fault != NULL) {
        fault->make(&result->streams[1]);
    }
    scene_end(result, 3050);
    return result;
}

static void no_fault_is_good(void **state)
{
    struct failover_result *result = three_with(NULL);
    assert_int_equal(failover_exit_code(result), 0);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(failover_stream_result(result, &result->streams[i]), "passed");
    }
    result->streams[1].gap_ns = result->max_gap_ns; /* as long as it may be */
    assert_int_equal(failover_exit_code(result), 0);
    scene_free(result);
    (void)state;
}

static void each_fault_of_a_stream_fails(void **state)
{
    for (size_t i = 0; i < FAULTS; i++) {
        struct failover_result *result = three_with(&faults[i]);
        bool fails = failover_exit_code(result) == 1 &&
                     strcmp(failover_stream_result(result, &result->streams[1]), "failed") == 0 &&
                     strcmp(failover_stream_result(result, &result->streams[0]), "passed") == 0;
        scene_free(result);
        if (!fails) {
            fail_msg("%s is no fault", faults[i].name);
        }
    }
    (void)state;
}

static void what_has_a_limit_goes_over_it_and_over_no_other(void **state)
{
    struct failover_limit limits[FAILOVER_LIMITS_MAX];
    for (size_t i = 0; i < FAULTS; i++) {
        struct failover_result *result = three_with(&faults[i]);
        size_t count = failover_limits(result, limits);
        assert_int_equal(count, 4);
        for (size_t k = 0; k < count; k++) {
            if (failover_limit_exit(result, &limits[k]) != (k == faults[i].limit)) {
                fail_msg("%s, limit %s", faults[i].name, limits[k].text);
            }
        }
        scene_free(result);
    }
    (void)state;
}

/* A test that is interrupted right behind the fault says nothing of streams on their way back. */
static void an_early_end_decides_no_stream_that_may_still_come_back(void **state)
{
    struct failover_limit limits[FAILOVER_LIMITS_MAX];
    for (size_t i = 0; i < FAULTS; i++) {
        struct failover_result *result = three_with(&faults[i]);
        bool undecided = faults[i].make == leave;
        result->run_exit = 128 + SIGINT;
        assert_int_equal(failover_is_undecided(result, &result->streams[1]), undecided);
        assert_string_equal(failover_stream_result(result, &result->streams[0]), "interrupted");
        assert_string_equal(failover_stream_result(result, &result->streams[1]),
                            undecided ? "interrupted" : "failed");
        failover_limits(result, limits);
        assert_int_equal(failover_limit_exit(result, &limits[1]), EXIT_NO_EVIDENCE);
        scene_free(result);
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_fault_is_good),
        cmocka_unit_test(each_fault_of_a_stream_fails),
        cmocka_unit_test(an_early_end_decides_no_stream_that_may_still_come_back),
        cmocka_unit_test(what_has_a_limit_goes_over_it_and_over_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
