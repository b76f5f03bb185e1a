/* Every verdict, in the positive and in the negative. */
#include "scene.h"

#include "check/facts.h"
#include "cli/exit.h"

#include <signal.h>

static void right_answers_pass(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 4);
    scene_good_all(&scene);
    const struct check_report *report = scene_judge(&scene);
    assert_int_equal(report->result, CHECK_PASSED);
    assert_int_equal(report->exit_code, EXIT_GOOD);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(report->groups[i].finding_count, 0);
        assert_int_equal(report->groups[i].unchecked, 0);
        assert_int_equal(report->groups[i].streams_done, 4);
        assert_int_equal(report->groups[i].received, 4 * SCENE_MESSAGES);
    }
    scene_end(&scene);
}

static void one_wrong_message_in_fifty_fails(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 10);
    scene_good_but(&scene, 6);
    scene_run_until(&scene, 6, SCENE_MESSAGES);
    scene_answer(&scene, 6, &(struct answer){.sequence = SCENE_MESSAGES, .version = "v2"});
    scene.run.streams[6].end = CHECK_END_DONE;
    const struct check_report *report = scene_judge(&scene);
    assert_int_equal(report->exit_code, EXIT_CHECK_FAILED);
    assert_int_equal(scene_finding(&scene, 0, CHECK_VERSION)->count, 1);
    assert_int_equal(report->groups[1].result, CHECK_PASSED);
    scene_end(&scene);
}

static void a_stream_that_ends_without_an_ok_fails(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 2);
    scene_good_but(&scene, SIZE_MAX);
    rpc_status_set(&scene.run.streams[0].status, RPC_INTERNAL, "response ended without trailers");
    const struct check_report *report = scene_judge(&scene);
    assert_int_equal(report->exit_code, EXIT_CHECK_FAILED);
    assert_int_equal(scene_finding(&scene, 0, CHECK_ENDING)->count, 1);
    assert_int_equal(report->groups[1].result, CHECK_PASSED);
    scene_end(&scene);
}

static void a_stream_that_was_not_ended_leaves_its_end_unchecked(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 2);
    scene_good_but(&scene, SIZE_MAX);
    scene.run.streams[0].ended = false;
    rpc_status_set(&scene.run.streams[0].status, RPC_CANCELLED, "cancelled here");
    const struct check_report *report = scene_judge(&scene);
    assert_int_equal(report->exit_code, EXIT_GOOD);
    assert_int_equal(report->groups[0].unchecked, 1U << CHECK_ENDING);
    assert_int_equal(report->groups[1].unchecked, 0);
    scene_end(&scene);
}

static void wrong_streams_are_told_with_their_pods(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 10);
    for (size_t i = 0; i < scene.plan.stream_count; i++) {
        if (i != 0 && i != 4) {
            scene_good(&scene, i);
            continue;
        }
        scene_send(&scene, i, SCENE_MESSAGES);
        const char *pod = i == 0 ? "server-v2-a" : "server-v2-b";
        for (uint64_t sequence = 1; sequence <= SCENE_MESSAGES; sequence++) {
            scene_answer(&scene, i,
                         &(struct answer){.sequence = sequence, .version = "v2", .pod = pod});
        }
        scene.run.streams[i].end = CHECK_END_DONE;
    }
    scene_judge(&scene);
    assert_string_equal(
        scene_finding(&scene, 0, CHECK_VERSION)->text,
        "expected server v1, answered: v2 (10 of 50 messages, pods server-v2-a, server-v2-b)");
    scene_end(&scene);
}

static void a_server_without_version_is_the_wrong_server(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 1);
    scene_good(&scene, 1);
    scene_run_until(&scene, 0, SCENE_MESSAGES);
    scene_answer(&scene, 0, &(struct answer){.sequence = SCENE_MESSAGES, .version = ""});
    scene.run.streams[0].end = CHECK_END_DONE;
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_CHECK_FAILED);
    assert_contains(scene_finding(&scene, 0, CHECK_VERSION)->text, "no version (1 of 5 messages");
    scene_end(&scene);
}

static void metadata_of_another_stream_fails(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 2);
    scene_good_but(&scene, 0);
    scene_run_until(&scene, 0, SCENE_MESSAGES);
    scene_answer(&scene, 0,
                 &(struct answer){.sequence = SCENE_MESSAGES,
                                  .agent_id = scene.plan.streams[1].agent_id,
                                  .agent_version = "v2.1"});
    scene.run.streams[0].end = CHECK_END_DONE;
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_CHECK_FAILED);
    const struct check_finding *finding = scene_finding(&scene, 0, CHECK_ISOLATION);
    assert_int_equal(finding->count, 1);
    assert_contains(finding->text, "agent-id=verify-test-v2.1-1 agent-version=v2.1 seen on the "
                                   "stream of agent-id=verify-test-v1.1-1");
    assert_int_equal(scene.report.groups[1].result, CHECK_PASSED);
    scene_end(&scene);
}

static void a_wrong_agent_version_alone_fails(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 1);
    scene_good(&scene, 1);
    scene_run_until(&scene, 0, SCENE_MESSAGES);
    scene_answer(&scene, 0, &(struct answer){.sequence = SCENE_MESSAGES, .agent_version = "v1.2"});
    scene.run.streams[0].end = CHECK_END_DONE;
    scene_judge(&scene);
    assert_int_equal(scene_finding(&scene, 0, CHECK_ISOLATION)->count, 1);
    scene_end(&scene);
}

static void metadata_that_got_lost_fails(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 1);
    scene_good(&scene, 1);
    scene_send(&scene, 0, SCENE_MESSAGES);
    for (uint64_t sequence = 1; sequence <= SCENE_MESSAGES; sequence++) {
        scene_answer(&scene, 0,
                     &(struct answer){.sequence = sequence, .agent_id = "", .agent_version = ""});
    }
    scene.run.streams[0].end = CHECK_END_DONE;
    scene_judge(&scene);
    assert_int_equal(scene_finding(&scene, 0, CHECK_ISOLATION)->count, SCENE_MESSAGES);
    scene_end(&scene);
}

static void an_answer_to_the_ping_of_another_stream_fails(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 1);
    scene_good(&scene, 1);
    scene_run_until(&scene, 0, SCENE_MESSAGES);
    scene_answer(&scene, 0,
                 &(struct answer){.sequence = SCENE_MESSAGES,
                                  .send_time_ns = scene.run.streams[1].sent_ns[4]});
    scene.run.streams[0].end = CHECK_END_DONE;
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_CHECK_FAILED);
    assert_contains(scene_finding(&scene, 0, CHECK_ISOLATION)->text,
                    "sequence 5 of verify-test-v2.1-1 arrived on the stream of "
                    "agent-id=verify-test-v1.1-1");
    scene_end(&scene);
}

static void a_sequence_that_was_never_sent_fails(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 1);
    scene_good(&scene, 1);
    scene_run_until(&scene, 0, SCENE_MESSAGES);
    scene_answer(&scene, 0, &(struct answer){.sequence = UINT64_MAX, .send_time_ns = 1});
    scene.run.streams[0].end = CHECK_END_DONE;
    scene_judge(&scene);
    assert_contains(scene_finding(&scene, 0, CHECK_ISOLATION)->text, "of nobody arrived");
    assert_int_equal(scene_finding(&scene, 0, CHECK_LOSS)->count, 1);
    scene_end(&scene);
}

/* Answers stream 0 in the given order and judges. */
static void run_in_order(struct scene *scene, const uint64_t *sequences, size_t count,
                         enum check_end end)
{
    scene_versions(scene, 1);
    scene_good(scene, 1);
    scene_send(scene, 0, SCENE_MESSAGES);
    for (size_t i = 0; i < count; i++) {
        scene_answer(scene, 0, &(struct answer){.sequence = sequences[i]});
    }
    scene->run.streams[0].end = end;
    scene_judge(scene);
}

static void reordered_answers_fail(void **state)
{
    (void)state;
    struct scene scene;
    run_in_order(&scene, (uint64_t[]){1, 3, 2, 4, 5}, 5, CHECK_END_DONE);
    const struct check_finding *finding = scene_finding(&scene, 0, CHECK_ORDER);
    assert_int_equal(finding->count, 1);
    assert_contains(finding->text, "first sequence 2 of agent-id=verify-test-v1.1-1");
    assert_int_equal(scene.report.groups[0].finding_count, 1);
    assert_int_equal(scene.report.exit_code, EXIT_CHECK_FAILED);
    scene_end(&scene);
}

static void a_duplicated_answer_fails(void **state)
{
    (void)state;
    struct scene scene;
    run_in_order(&scene, (uint64_t[]){1, 2, 2, 3, 4, 5}, 6, CHECK_END_DONE);
    const struct check_finding *finding = scene_finding(&scene, 0, CHECK_DUPLICATION);
    assert_int_equal(finding->count, 1);
    assert_contains(finding->text, "first sequence 2");
    assert_int_equal(scene.report.groups[0].finding_count, 1);
    scene_end(&scene);
}

static void a_gap_is_a_loss_even_on_a_stream_that_died(void **state)
{
    (void)state;
    struct scene scene;
    run_in_order(&scene, (uint64_t[]){1, 3}, 2, CHECK_END_BY_PEER);
    assert_int_equal(scene_finding(&scene, 0, CHECK_LOSS)->count, 1);
    assert_int_equal(scene.report.exit_code, EXIT_CHECK_FAILED);
    scene_end(&scene);
}

static void an_unanswered_last_ping_is_a_loss_at_the_time_limit(void **state)
{
    (void)state;
    struct scene scene;
    run_in_order(&scene, (uint64_t[]){1, 2, 3, 4}, 4, CHECK_END_TIMED_OUT);
    const struct check_finding *finding = scene_finding(&scene, 0, CHECK_LOSS);
    assert_contains(finding->text, "1 of 5 messages were never answered, first sequence 5");
    assert_int_equal(scene.report.groups[0].finding_count, 1);
    scene_end(&scene);
}

static void an_unanswered_last_ping_of_a_dead_stream_is_no_loss(void **state)
{
    (void)state;
    struct scene scene;
    run_in_order(&scene, (uint64_t[]){1, 2, 3, 4}, 4, CHECK_END_BY_PEER);
    scene_finding(&scene, 0, CHECK_EVIDENCE);
    assert_int_equal(scene.report.groups[0].finding_count, 1);
    assert_int_equal(scene.report.exit_code, EXIT_NO_EVIDENCE);
    scene_end(&scene);
}

static void pings_that_never_left_are_no_loss(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 1);
    scene_good(&scene, 1);
    scene_send(&scene, 0, 3);
    scene_answer(&scene, 0, &(struct answer){.sequence = 1});
    scene.run.streams[0].end = CHECK_END_TIMED_OUT;
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_NO_EVIDENCE);
    assert_contains(scene_finding(&scene, 0, CHECK_EVIDENCE)->text,
                    "1 of 5 messages answered within 10.0s");
    scene_end(&scene);
}

static void an_answer_that_may_be_under_way_at_the_limit_is_not_lost(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 1);
    scene_good(&scene, 1);
    scene_run_until(&scene, 0, SCENE_MESSAGES);
    scene.run.streams[0].end = CHECK_END_TIMED_OUT;
    scene.run.streams[0].idle_ns = CHECK_UNDER_WAY_NS - 1;
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_NO_EVIDENCE);
    assert_contains(scene_finding(&scene, 0, CHECK_EVIDENCE)->text, "4 of 5 messages answered");
    check_report_deinit(&scene.report);
    scene.run.streams[0].idle_ns = CHECK_UNDER_WAY_NS;
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_CHECK_FAILED);
    assert_int_equal(scene_finding(&scene, 0, CHECK_LOSS)->count, 1);
    scene_end(&scene);
}

static void a_stream_that_moves_between_pods_fails(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 2);
    scene_good_but(&scene, 2);
    scene_run_until(&scene, 2, 4);
    for (uint64_t sequence = 4; sequence <= 5; sequence++) {
        scene_answer(&scene, 2, &(struct answer){.sequence = sequence, .pod = "server-v1-b"});
    }
    scene.run.streams[2].end = CHECK_END_DONE;
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_CHECK_FAILED);
    const struct check_finding *finding = scene_finding(&scene, 0, CHECK_STICKINESS);
    assert_int_equal(finding->count, 1);
    assert_contains(finding->text, "1 of 2 streams moved between pods");
    assert_contains(finding->text, "v1/server-v1-a (3 messages), v1/server-v1-b (2 messages)");
    assert_int_equal(scene.report.groups[0].finding_count, 1);
    scene_end(&scene);
}

static void streams_on_different_pods_are_sticky(void **state)
{
    (void)state;
    struct scene scene;
    scene_sticky(&scene, 2);
    scene_good(&scene, 0);
    scene_send(&scene, 1, SCENE_MESSAGES);
    for (uint64_t sequence = 1; sequence <= SCENE_MESSAGES; sequence++) {
        scene_answer(&scene, 1, &(struct answer){.sequence = sequence, .pod = "server-v1-b"});
    }
    scene.run.streams[1].end = CHECK_END_DONE;
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_GOOD);
    scene_end(&scene);
}

/* All pings of a stream, answered `answers` times by a server that knows only fields 1 to 3. */
static void run_old_server(struct scene *scene, size_t stream, size_t answers, const char *pod)
{
    scene_send(scene, stream, SCENE_MESSAGES);
    for (size_t i = 0; i < answers; i++) {
        scene_answer(scene, stream, &(struct answer){.old_server = true, .pod = pod});
    }
    scene->run.streams[stream].end =
        answers < SCENE_MESSAGES ? CHECK_END_TIMED_OUT : CHECK_END_DONE;
}

static void a_server_without_extensions_passes_with_checks_left_out(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 1);
    run_old_server(&scene, 0, SCENE_MESSAGES, NULL);
    run_old_server(&scene, 1, SCENE_MESSAGES, NULL);
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_GOOD);
    assert_int_equal(scene.report.groups[0].unchecked,
                     1U << CHECK_ISOLATION | 1U << CHECK_ORDER | 1U << CHECK_LOSS);
    scene_end(&scene);
}

static void without_extensions_the_wrong_version_still_fails(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 1);
    run_old_server(&scene, 0, SCENE_MESSAGES, NULL);
    scene_send(&scene, 1, SCENE_MESSAGES);
    for (size_t i = 0; i < SCENE_MESSAGES; i++) {
        scene_answer(&scene, 1, &(struct answer){.old_server = true, .version = "v1"});
    }
    scene.run.streams[1].end = CHECK_END_DONE;
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_CHECK_FAILED);
    scene_finding(&scene, 1, CHECK_VERSION);
    scene_end(&scene);
}

static void without_extensions_the_number_of_answers_still_counts(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 1);
    run_old_server(&scene, 0, SCENE_MESSAGES - 1, NULL);
    run_old_server(&scene, 1, SCENE_MESSAGES + 2, NULL);
    scene_judge(&scene);
    assert_int_equal(scene_finding(&scene, 0, CHECK_LOSS)->count, 1);
    assert_int_equal(scene_finding(&scene, 1, CHECK_DUPLICATION)->count, 2);
    scene_end(&scene);
}

static void sticky_test_needs_pods_with_names(void **state)
{
    (void)state;
    struct scene scene;
    scene_sticky(&scene, 1);
    run_old_server(&scene, 0, SCENE_MESSAGES, "");
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_NO_EVIDENCE);
    assert_contains(scene_finding(&scene, 0, CHECK_EVIDENCE)->text, "server sends no server_id");
    scene_end(&scene);
}

static void streams_that_die_before_an_answer_are_no_evidence(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 1);
    scene_ended(&scene, 0, RPC_UNAVAILABLE, RPC_FROM_TRAILERS);
    scene_ended(&scene, 1, RPC_CANCELLED, RPC_FROM_RESET);
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_NO_EVIDENCE);
    const struct check_finding *finding = scene_finding(&scene, 0, CHECK_EVIDENCE);
    assert_contains(finding->text, "from 1 of 1 streams: ended after 0 of 5 messages: UNAVAILABLE");
    assert_int_equal(scene.report.groups[0].finding_count, 1);
    scene_end(&scene);
}

static void one_dead_stream_among_good_ones_is_no_pass(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 4);
    scene_good_but(&scene, 3);
    scene_run_until(&scene, 3, 3);
    scene_ended(&scene, 3, RPC_UNAVAILABLE, RPC_FROM_CONNECTION);
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_NO_EVIDENCE);
    assert_int_equal(scene.report.groups[0].result, CHECK_PASSED);
    assert_int_equal(scene_finding(&scene, 1, CHECK_EVIDENCE)->count, 1);
    scene_end(&scene);
}

static void an_early_end_with_ok_is_no_evidence(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 1);
    scene_good(&scene, 1);
    scene_run_until(&scene, 0, 3);
    scene_ended(&scene, 0, RPC_OK, RPC_FROM_TRAILERS);
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_NO_EVIDENCE);
    scene_end(&scene);
}

static void no_answer_at_all_within_the_limit_is_no_evidence(void **state)
{
    (void)state;
    struct scene scene;
    scene_sticky(&scene, 1);
    scene_send(&scene, 0, SCENE_MESSAGES);
    scene.run.streams[0].end = CHECK_END_TIMED_OUT;
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_NO_EVIDENCE);
    scene_end(&scene);
}

static void an_answer_that_is_no_ping_response_is_no_evidence(void **state)
{
    (void)state;
    struct scene scene;
    scene_sticky(&scene, 1);
    scene.run.streams[0].garbled = true;
    scene.run.streams[0].end = CHECK_END_BY_PEER;
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_NO_EVIDENCE);
    assert_contains(scene_finding(&scene, 0, CHECK_EVIDENCE)->text, "not a ping.PingResponse");
    scene_end(&scene);
}

static void a_missing_route_fails(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 1);
    scene_good(&scene, 0);
    scene_ended(&scene, 1, RPC_UNIMPLEMENTED, RPC_FROM_TRAILERS);
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_CHECK_FAILED);
    const struct check_finding *finding = scene_finding(&scene, 1, CHECK_REJECTION);
    assert_contains(finding->text, "expected server v2, rejected: UNIMPLEMENTED");
    assert_int_equal(scene.report.groups[1].finding_count, 1);
    scene_end(&scene);
}

static void nothing_connected_is_its_own_result(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 1);
    scene.run.connections_ready = 0;
    scene.run.connection_failed = true;
    net_error_set(&scene.run.error, NET_REFUSED, "connect to localhost:8443: refused");
    for (size_t i = 0; i < 2; i++) {
        scene.run.streams[i].opened = false;
        scene.run.streams[i].end = CHECK_END_NOT_CONNECTED;
        scene.run.streams[i].error = scene.run.error;
    }
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_NO_CONNECTION);
    assert_string_equal(scene.report.reason, "connect to localhost:8443: refused");
    scene_end(&scene);
}

static void a_connection_that_never_gets_ready_is_no_connection(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 1);
    scene.run.connections_ready = 0;
    scene.run.streams[0].end = scene.run.streams[1].end = CHECK_END_TIMED_OUT;
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_NO_CONNECTION);
    assert_contains(scene.report.reason, "no connection to localhost:8443 within 10.0s");
    scene_end(&scene);
}

static void one_failed_connection_among_good_ones_is_no_evidence(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 1);
    scene_good(&scene, 0);
    scene.run.streams[1].end = CHECK_END_NOT_CONNECTED;
    net_error_set(&scene.run.streams[1].error, NET_REFUSED, "refused");
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_NO_EVIDENCE);
    scene_end(&scene);
}

static void an_interrupted_run_says_so_whatever_it_saw(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 1);
    scene_good(&scene, 0);
    scene.run.interrupted_by = SIGINT;
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_INTERRUPTED);
    assert_int_equal(scene.report.result, CHECK_INTERRUPTED);
    assert_int_equal(scene.report.groups[0].result, CHECK_PASSED);
    assert_contains(scene_finding(&scene, 1, CHECK_EVIDENCE)->text, "interrupted");
    scene_end(&scene);
    scene_versions(&scene, 1);
    scene.run.interrupted_by = SIGTERM;
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_TERMINATED);
    scene_end(&scene);
}

static void a_failure_weighs_more_than_missing_evidence(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 1);
    scene_ended(&scene, 0, RPC_UNAVAILABLE, RPC_FROM_TRAILERS);
    scene_run_until(&scene, 1, SCENE_MESSAGES);
    scene_answer(&scene, 1, &(struct answer){.sequence = SCENE_MESSAGES, .version = "v1"});
    scene.run.streams[1].end = CHECK_END_DONE;
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_CHECK_FAILED);
    scene_end(&scene);
}

static void a_peer_with_more_pods_than_are_kept_cannot_hide_a_wrong_version(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 20);
    for (size_t i = 0; i < scene.plan.stream_count; i++) {
        scene_send(&scene, i, SCENE_MESSAGES);
        for (uint64_t sequence = 1; sequence <= SCENE_MESSAGES; sequence++) {
            char pod[32];
            snprintf(pod, sizeof(pod), "pod-%zu-%llu", i, (unsigned long long)sequence);
            bool last = i == 38 && sequence == SCENE_MESSAGES;
            scene_answer(
                &scene, i,
                &(struct answer){.sequence = sequence, .pod = pod, .version = last ? "v9" : NULL});
        }
        scene.run.streams[i].end = CHECK_END_DONE;
    }
    scene_judge(&scene);
    assert_int_equal(scene_finding(&scene, 0, CHECK_VERSION)->count, 1);
    scene_end(&scene);
}

/* --- boundary
 * ------------------------------------------------------------------------------------- */

static void a_boundary_version_must_reach_its_server(void **state)
{
    (void)state;
    struct scene scene;
    scene_boundary(&scene, CHECK_HEADER_ONCE, "v10.0", ROLE_EXPECT_SERVER);
    scene_good(&scene, 0);
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_GOOD);
    scene_end(&scene);

    scene_boundary(&scene, CHECK_HEADER_ONCE, "v10.0", ROLE_EXPECT_SERVER);
    scene_run_until(&scene, 0, SCENE_MESSAGES);
    scene_answer(&scene, 0, &(struct answer){.sequence = SCENE_MESSAGES, .version = "v2"});
    scene.run.streams[0].end = CHECK_END_DONE;
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_CHECK_FAILED);
    scene_end(&scene);
}

/* All of its stream is on one pod, so that nothing else is wrong. */
static void a_boundary_version_that_stays_on_a_wrong_server_fails(void **state)
{
    (void)state;
    struct scene scene;
    scene_boundary(&scene, CHECK_HEADER_ONCE, "v10.0", ROLE_EXPECT_SERVER);
    scene_send(&scene, 0, SCENE_MESSAGES);
    for (uint64_t sequence = 1; sequence <= SCENE_MESSAGES; sequence++) {
        scene_answer(&scene, 0,
                     &(struct answer){.sequence = sequence, .version = "v2", .pod = "server-v2-a"});
    }
    scene.run.streams[0].end = CHECK_END_DONE;
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_CHECK_FAILED);
    assert_int_equal(scene_finding(&scene, 0, CHECK_VERSION)->count, SCENE_MESSAGES);
    assert_int_equal(scene.report.groups[0].finding_count, 1);
    scene_end(&scene);
}

static void a_due_rejection_may_look_different_per_proxy(void **state)
{
    (void)state;
    const struct {
        enum rpc_code code;
        enum rpc_status_origin origin;
    } rejections[] = {
        {RPC_UNIMPLEMENTED, RPC_FROM_TRAILERS},
        {RPC_UNAVAILABLE, RPC_FROM_HTTP},
        {RPC_CANCELLED, RPC_FROM_RESET},
    };
    for (size_t i = 0; i < sizeof(rejections) / sizeof(rejections[0]); i++) {
        struct scene scene;
        scene_boundary(&scene, CHECK_HEADER_ONCE, "v3.1", ROLE_EXPECT_REJECTED);
        scene_ended(&scene, 0, rejections[i].code, rejections[i].origin);
        assert_int_equal(scene_judge(&scene)->exit_code, EXIT_GOOD);
        assert_contains(scene.report.groups[0].outcome, "rejected: ");
        scene_end(&scene);
    }
}

static void a_lost_connection_is_not_a_rejection(void **state)
{
    (void)state;
    struct scene scene;
    scene_boundary(&scene, CHECK_HEADER_ONCE, "v3.1", ROLE_EXPECT_REJECTED);
    scene_ended(&scene, 0, RPC_UNAVAILABLE, RPC_FROM_CONNECTION);
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_NO_EVIDENCE);
    scene_end(&scene);
}

static void an_answer_where_a_rejection_is_due_fails(void **state)
{
    (void)state;
    struct scene scene;
    scene_boundary(&scene, CHECK_HEADER_ONCE, "v3.1", ROLE_EXPECT_REJECTED);
    scene_send(&scene, 0, SCENE_MESSAGES);
    scene_answer(&scene, 0, &(struct answer){.sequence = 1, .version = "v1"});
    scene.run.streams[0].end = CHECK_END_DONE;
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_CHECK_FAILED);
    assert_contains(scene_finding(&scene, 0, CHECK_REJECTION)->text,
                    "expected a rejection, answered: v1");
    scene_end(&scene);
}

static void a_repeated_header_may_be_rejected_or_answered(void **state)
{
    (void)state;
    struct scene scene;
    scene_boundary(&scene, CHECK_HEADER_TWICE, "", ROLE_EXPECT_REPORT);
    scene_ended(&scene, 0, RPC_INVALID_ARGUMENT, RPC_FROM_TRAILERS);
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_GOOD);
    assert_contains(scene.report.groups[0].outcome, "rejected: INVALID_ARGUMENT");
    scene_end(&scene);

    scene_boundary(&scene, CHECK_HEADER_TWICE, "", ROLE_EXPECT_REPORT);
    scene_good(&scene, 0);
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_GOOD);
    assert_string_equal(scene.report.groups[0].outcome, "Server v1");
    scene_end(&scene);
}

static void a_repeated_header_that_ends_the_connection_proves_nothing(void **state)
{
    (void)state;
    struct scene scene;
    scene_boundary(&scene, CHECK_HEADER_TWICE, "", ROLE_EXPECT_REPORT);
    scene_ended(&scene, 0, RPC_UNAVAILABLE, RPC_FROM_CONNECTION);
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_NO_EVIDENCE);
    scene_end(&scene);
}

static void what_a_server_makes_of_a_missing_version_is_not_judged(void **state)
{
    (void)state;
    struct scene scene;
    scene_boundary(&scene, CHECK_HEADER_MISSING, "", ROLE_EXPECT_SERVER);
    scene_send(&scene, 0, SCENE_MESSAGES);
    for (uint64_t sequence = 1; sequence <= SCENE_MESSAGES; sequence++) {
        scene_answer(&scene, 0, &(struct answer){.sequence = sequence, .agent_version = "unknown"});
    }
    scene.run.streams[0].end = CHECK_END_DONE;
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_GOOD);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_answers_pass),
        cmocka_unit_test(one_wrong_message_in_fifty_fails),
        cmocka_unit_test(a_stream_that_ends_without_an_ok_fails),
        cmocka_unit_test(a_stream_that_was_not_ended_leaves_its_end_unchecked),
        cmocka_unit_test(wrong_streams_are_told_with_their_pods),
        cmocka_unit_test(a_server_without_version_is_the_wrong_server),
        cmocka_unit_test(metadata_of_another_stream_fails),
        cmocka_unit_test(a_wrong_agent_version_alone_fails),
        cmocka_unit_test(metadata_that_got_lost_fails),
        cmocka_unit_test(an_answer_to_the_ping_of_another_stream_fails),
        cmocka_unit_test(a_sequence_that_was_never_sent_fails),
        cmocka_unit_test(reordered_answers_fail),
        cmocka_unit_test(a_duplicated_answer_fails),
        cmocka_unit_test(a_gap_is_a_loss_even_on_a_stream_that_died),
        cmocka_unit_test(an_unanswered_last_ping_is_a_loss_at_the_time_limit),
        cmocka_unit_test(an_unanswered_last_ping_of_a_dead_stream_is_no_loss),
        cmocka_unit_test(pings_that_never_left_are_no_loss),
        cmocka_unit_test(an_answer_that_may_be_under_way_at_the_limit_is_not_lost),
        cmocka_unit_test(a_stream_that_moves_between_pods_fails),
        cmocka_unit_test(streams_on_different_pods_are_sticky),
        cmocka_unit_test(a_server_without_extensions_passes_with_checks_left_out),
        cmocka_unit_test(without_extensions_the_wrong_version_still_fails),
        cmocka_unit_test(without_extensions_the_number_of_answers_still_counts),
        cmocka_unit_test(sticky_test_needs_pods_with_names),
        cmocka_unit_test(streams_that_die_before_an_answer_are_no_evidence),
        cmocka_unit_test(one_dead_stream_among_good_ones_is_no_pass),
        cmocka_unit_test(an_early_end_with_ok_is_no_evidence),
        cmocka_unit_test(no_answer_at_all_within_the_limit_is_no_evidence),
        cmocka_unit_test(an_answer_that_is_no_ping_response_is_no_evidence),
        cmocka_unit_test(a_missing_route_fails),
        cmocka_unit_test(nothing_connected_is_its_own_result),
        cmocka_unit_test(a_connection_that_never_gets_ready_is_no_connection),
        cmocka_unit_test(one_failed_connection_among_good_ones_is_no_evidence),
        cmocka_unit_test(an_interrupted_run_says_so_whatever_it_saw),
        cmocka_unit_test(a_failure_weighs_more_than_missing_evidence),
        cmocka_unit_test(a_peer_with_more_pods_than_are_kept_cannot_hide_a_wrong_version),
        cmocka_unit_test(a_boundary_version_must_reach_its_server),
        cmocka_unit_test(a_boundary_version_that_stays_on_a_wrong_server_fails),
        cmocka_unit_test(a_due_rejection_may_look_different_per_proxy),
        cmocka_unit_test(a_lost_connection_is_not_a_rejection),
        cmocka_unit_test(an_answer_where_a_rejection_is_due_fails),
        cmocka_unit_test(a_repeated_header_may_be_rejected_or_answered),
        cmocka_unit_test(a_repeated_header_that_ends_the_connection_proves_nothing),
        cmocka_unit_test(what_a_server_makes_of_a_missing_version_is_not_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
