/* What an agent makes of the answers on its stream. */
#include "agent/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MS     UINT64_C(1000000)
#define SECOND (1000 * MS)

static const struct role_expectation EXPECT = {
    .rule = ROLE_EXPECT_SERVER, .versions = {"v1"}, .version_count = 1};
static const struct agent_identity SELF = {"v1.2", "agent-1", &EXPECT};
static struct agent_stats stats;
static struct agent_stream stream;

static int open_stream(void **state)
{
    (void)state;
    memset(&stats, 0, sizeof(stats));
    agent_stream_open(&stream, &stats, SECOND);
    return 0;
}

static void ping(uint64_t now_ns)
{
    agent_stream_sent(&stream, &stats, now_ns);
}

static struct rpc_ping_response good_answer(uint64_t sequence)
{
    return (struct rpc_ping_response){
        .message = "pong",
        .server_version = "v1",
        .server_id = "pod-a",
        .sequence = sequence,
        .agent_id = "agent-1",
        .agent_version = "v1.2",
    };
}

static unsigned judge(struct rpc_ping_response answer, uint64_t now_ns)
{
    return agent_stream_answer(&stream, &stats, &SELF, &answer, now_ns);
}

static void good_answers_have_no_findings(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 100; i++) {
        assert_int_equal(agent_stream_next_ping(&stream, 7).sequence, i);
        ping(SECOND + i * MS);
        assert_int_equal(judge(good_answer(i), SECOND + i * MS + MS / 2), 0);
    }
    assert_true(agent_stats_clean(&stats));
    assert_int_equal(stats.sent, 100);
    assert_int_equal(stats.received, 100);
    assert_int_equal(stats.rtt.count, 100);
    assert_int_equal(stats.rtt.max_ns, MS / 2);
    assert_int_equal(stream.answered, stream.sent);
}

static void answers_without_our_fields_are_taken_in_order(void **state)
{
    (void)state;
    struct rpc_ping_response plain = {"pong", "v1", "pod-a", 0, 0, "", ""};
    ping(SECOND);
    ping(SECOND);
    assert_int_equal(judge(plain, SECOND), 0);
    assert_int_equal(judge(plain, SECOND), 0);
    assert_int_equal(judge(plain, SECOND), AGENT_UNEXPECTED);
}

static void another_major_version_is_wrong(void **state)
{
    (void)state;
    static const char *const wrong[] = {"v2", "v11", "v1x", "1", "", "V1", "server-v1"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct rpc_ping_response answer = good_answer(i + 1);
        answer.server_version = wrong[i];
        ping(SECOND);
        assert_int_equal(judge(answer, SECOND), AGENT_WRONG_VERSION);
    }
    assert_int_equal(stats.mismatches, sizeof(wrong) / sizeof(wrong[0]));
    assert_false(agent_stats_clean(&stats));
}

static void another_pod_on_the_same_stream_has_moved(void **state)
{
    (void)state;
    struct rpc_ping_response other = good_answer(2);
    other.server_id = "pod-b";
    ping(SECOND);
    ping(SECOND);
    ping(SECOND);
    assert_int_equal(judge(good_answer(1), SECOND), 0);
    assert_int_equal(judge(other, SECOND), AGENT_MOVED);
    assert_int_equal(judge(good_answer(3), SECOND), 0);
    assert_int_equal(stats.moved, 1);
}

static void metadata_of_another_agent_is_mixed(void **state)
{
    (void)state;
    struct rpc_ping_response answer = good_answer(1);
    answer.agent_id = "agent-2";
    ping(SECOND);
    assert_int_equal(judge(answer, SECOND), AGENT_MIXED);
    answer = good_answer(2);
    answer.agent_version = "v1.1";
    ping(SECOND);
    assert_int_equal(judge(answer, SECOND), AGENT_MIXED);
    assert_int_equal(stats.mixed, 2);
}

static void a_gap_is_lost_and_a_repetition_unexpected(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        ping(SECOND);
    }
    assert_int_equal(judge(good_answer(1), SECOND), 0);
    assert_int_equal(judge(good_answer(4), SECOND), AGENT_LOST);
    assert_int_equal(judge(good_answer(4), SECOND), AGENT_UNEXPECTED);
    assert_int_equal(judge(good_answer(3), SECOND), AGENT_UNEXPECTED);
    assert_int_equal(judge(good_answer(6), SECOND), AGENT_UNEXPECTED);
    assert_int_equal(judge(good_answer(UINT64_MAX), SECOND), AGENT_UNEXPECTED);
    assert_int_equal(stats.lost, 2);
    assert_int_equal(stats.unexpected, 4);
}

static void what_is_outstanding_at_the_end_is_lost(void **state)
{
    (void)state;
    ping(2 * SECOND);
    ping(3 * SECOND);
    ping(4 * SECOND);
    judge(good_answer(1), 4 * SECOND + 1);
    struct rpc_stream_life life = agent_stream_close(&stream, &stats, 11 * SECOND);
    assert_int_equal(stats.lost, 2);
    assert_int_equal(stats.streams_active, 0);
    assert_int_equal(life.age_ms, 10000);
    assert_int_equal(life.idle_ms, 6999);
}

static void silence_is_overdue_at_any_ping_rate(void **state)
{
    (void)state;
    assert_false(agent_stream_overdue(&stream, 100, 3600 * SECOND));
    for (uint64_t i = 0; i < 1000; i++) { /* far more than the send times that are kept */
        ping(SECOND + i * MS);
    }
    assert_false(agent_stream_overdue(&stream, 1000, 2 * SECOND));
    assert_true(agent_stream_overdue(&stream, 1000, 2 * SECOND + MS));
    judge(good_answer(1), 2 * SECOND);
    assert_false(agent_stream_overdue(&stream, 1000, 2 * SECOND + MS));
    judge(good_answer(1000), 2 * SECOND);
    assert_false(agent_stream_overdue(&stream, 1000, 3600 * SECOND));
}

static void round_trips_behind_a_long_queue_are_not_invented(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 3 * AGENT_STREAM_TIMES; i++) {
        ping(SECOND + i * MS);
    }
    judge(good_answer(1), 2 * SECOND);
    assert_int_equal(stats.rtt.count, 0);
    judge(good_answer(3 * AGENT_STREAM_TIMES), SECOND + (3 * AGENT_STREAM_TIMES + 4) * MS);
    assert_int_equal(stats.rtt.count, 1);
    assert_int_equal(stats.rtt.max_ns, 5 * MS);
}

static void a_peers_long_name_is_cut_and_still_compared(void **state)
{
    (void)state;
    char name[400];
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    struct rpc_ping_response answer = good_answer(1);
    answer.server_id = name;
    ping(SECOND);
    ping(SECOND);
    assert_int_equal(judge(answer, SECOND), 0);
    answer.sequence = 2;
    assert_int_equal(judge(answer, SECOND), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, open_stream)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(good_answers_have_no_findings),
        TEST(answers_without_our_fields_are_taken_in_order),
        TEST(another_major_version_is_wrong),
        TEST(another_pod_on_the_same_stream_has_moved),
        TEST(metadata_of_another_agent_is_mixed),
        TEST(a_gap_is_lost_and_a_repetition_unexpected),
        TEST(what_is_outstanding_at_the_end_is_lost),
        TEST(silence_is_overdue_at_any_ping_rate),
        TEST(round_trips_behind_a_long_queue_are_not_invented),
        TEST(a_peers_long_name_is_cut_and_still_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
