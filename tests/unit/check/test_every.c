/* What continuous verification counts, and which verdicts and causes are the same. */
#include "scene.h"

#include "check/every_cause.h"
#include "check/every_stats.h"
#include "check/every_tell.h"

#include <stdlib.h>

static double sample(const struct every_stats *stats, const char *series)
{
    struct metrics out = {0};
    every_stats_write(stats, &out);
    metrics_end(&out);
    assert_int_equal(buf_append(&out.text, "", 1, SIZE_MAX), 0);
    const char *at = strstr((const char *)buf_data(&out.text), series);
    double value = at != NULL ? strtod(at + strlen(series), NULL) : -1;
    buf_deinit(&out.text);
    return value;
}

static void a_good_run_and_a_misroute_are_counted_apart(void **state)
{
    (void)state;
    struct every_stats stats = {.interval_s = 60};
    struct scene scene;
    scene_versions(&scene, 2);
    scene_good_all(&scene);
    scene.run.expiry = (struct net_expiry){2000, 1000};
    every_stats_note(&stats, scene_judge(&scene), 100);
    char good[EVERY_KEY_BYTES];
    every_key(&scene.report, good);
    scene_end(&scene);
    assert_true(sample(&stats, "grpcroute_verify_runs_total{result=\"passed\"} ") == 1);
    assert_true(sample(&stats, "\ngrpcroute_verify_passed ") == 1);

    scene_versions(&scene, 2);
    scene_good_but(&scene, 0);
    scene_run_until(&scene, 0, SCENE_MESSAGES - 1);
    scene_answer(&scene, 0, &(struct answer){.sequence = SCENE_MESSAGES - 1, .version = "v2"});
    every_stats_note(&stats, scene_judge(&scene), 160);
    char bad[EVERY_KEY_BYTES];
    every_key(&scene.report, bad);
    scene_end(&scene);
    assert_string_not_equal(good, bad);
    assert_true(sample(&stats, "grpcroute_verify_runs_total{result=\"failed\"} ") == 1);
    assert_true(sample(&stats, "\ngrpcroute_verify_passed ") == 0);
    assert_true(sample(&stats, "grpcroute_verify_version_ok{agent_version=\"v1.1\"} ") == 0);
    assert_true(sample(&stats, "grpcroute_verify_version_ok{agent_version=\"v2.1\"} ") == 1);
    assert_true(sample(&stats, "misrouted_messages_total{agent_version=\"v1.1\"} ") == 1);
    assert_true(sample(&stats, "misrouted_messages_total{agent_version=\"v2.1\"} ") == 0);
    assert_true(sample(&stats, "unanswered_messages_total{agent_version=\"v1.1\"} ") == 1);
    assert_true(sample(&stats, "\ngrpcroute_verify_last_run_timestamp_seconds ") == 160);
    assert_true(sample(&stats, "\ngrpcroute_verify_last_success_timestamp_seconds ") == 100);
    /* a run without TLS, or that did not connect, forgets nothing */
    assert_true(sample(&stats, "expiry_timestamp_seconds{certificate=\"leaf\"} ") == 2000);
    assert_true(sample(&stats, "expiry_timestamp_seconds{certificate=\"chain\"} ") == 1000);
    assert_int_equal(every_stats_runs(&stats), 2);
    every_stats_deinit(&stats);
}

static void a_rejection_is_no_misroute_but_an_answer_in_its_place_is(void **state)
{
    (void)state;
    struct every_stats stats = {0};
    struct scene scene;
    scene_versions(&scene, 2); /* a stream of v1.1 is rejected, one is answered */
    scene_good_but(&scene, 0);
    scene_ended(&scene, 0, RPC_UNIMPLEMENTED, RPC_FROM_TRAILERS);
    every_stats_note(&stats, scene_judge(&scene), 1);
    scene_finding(&scene, 0, CHECK_REJECTION);
    scene_end(&scene);
    assert_true(sample(&stats, "misrouted_messages_total{agent_version=\"v1.1\"} ") == 0);

    scene_versions(&scene, 1); /* v2.1 has to be rejected, and is answered */
    scene.plan.groups[1].expect = (struct role_expectation){.rule = ROLE_EXPECT_REJECTED};
    scene_good_all(&scene);
    every_stats_note(&stats, scene_judge(&scene), 2);
    scene_end(&scene);
    assert_true(sample(&stats, "misrouted_messages_total{agent_version=\"v1.1\"} ") == 0);
    assert_true(sample(&stats, "misrouted_messages_total{agent_version=\"v2.1\"} ") ==
                SCENE_MESSAGES);
    every_stats_deinit(&stats);
}

static void nothing_is_told_of_a_run_that_was_not(void **state)
{
    (void)state;
    const struct every_stats stats = {.interval_s = 60};
    assert_true(sample(&stats, "\ngrpcroute_verify_interval_seconds ") == 60);
    assert_true(sample(&stats, "grpcroute_verify_runs_total{result=\"failed\"} ") == 0);
    assert_true(sample(&stats, "\ngrpcroute_verify_passed ") == -1);
    assert_true(sample(&stats, "\ngrpcroute_verify_last_run_timestamp_seconds ") == -1);
    assert_true(sample(&stats, "certificate_expiry") == -1);
}

static void echoes_of_no_ping_have_no_round_trip(void **state)
{
    (void)state;
    struct every_stats stats = {0};
    struct scene scene;
    scene_versions(&scene, 1);
    scene_good_all(&scene);
    struct check_observation *seen = &scene.run.streams[0];
    for (size_t i = 0; i < seen->pong_count; i++) {
        seen->pongs[i].received_ns = seen->pongs[i].send_time_ns + 1000;
    }
    seen->pongs[0].send_time_ns = 1; /* not our stamp */
    seen->pongs[1].sequence = 77;    /* not our number */
    seen->pongs[2].received_ns = 0;
    every_stats_note(&stats, scene_judge(&scene), 1);
    assert_int_equal(stats.versions[0]->rtt.count, SCENE_MESSAGES - 3);
    assert_int_equal(stats.versions[0]->rtt.max_ns, 1000);
    scene_end(&scene);
    every_stats_deinit(&stats);
}

/* ---- causes ---------------------------------------------------------------------------------- */

static bool is_news(struct every_causes *causes, uint64_t run, const char *reason)
{
    struct check_report report = {.result = CHECK_NOT_CONNECTED};
    snprintf(report.reason, sizeof(report.reason), "%s", reason);
    return every_causes_note(causes, run, &report);
}

static void another_reason_is_news_once_and_again_when_it_was_gone_for_long(void **state)
{
    (void)state;
    struct every_causes causes = {0};
    uint64_t run = 0;
    assert_true(is_news(&causes, run++, "10.0.0.1:443: connection refused after 3 ms"));
    assert_false(is_news(&causes, run++, "10.0.0.2:443: connection refused after 17 ms"));
    assert_true(is_news(&causes, run++, "10.0.0.2:443: certificate has expired"));
    for (int i = 0; i < 3 * EVERY_CAUSE_RUNS; i++) { /* they take turns */
        assert_false(is_news(&causes, run++, "10.0.0.1:443: connection refused after 1 ms"));
        assert_false(is_news(&causes, run++, "10.0.0.1:443: certificate has expired"));
    }
    for (int i = 0; i < EVERY_CAUSE_RUNS; i++) {
        assert_false(is_news(&causes, run++, "10.0.0.1:443: certificate has expired"));
    }
    assert_true(is_news(&causes, run, "10.0.0.1:443: connection refused after 1 ms"));
}

static void reasons_without_end_are_bounded(void **state)
{
    (void)state;
    struct every_causes causes = {0};
    size_t news = 0;
    for (int i = 0; i < 26 * 26; i++) {
        char reason[] = "the peer says aa";
        reason[sizeof(reason) - 3] = (char)('a' + i / 26);
        reason[sizeof(reason) - 2] = (char)('a' + i % 26);
        news += is_news(&causes, 0, reason);
    }
    assert_int_equal(news, EVERY_CAUSES_MAX);
}

/* A run in which a stream of v1.1 is answered `answers` times by this server. */
static bool is_misrouted_to(struct every_causes *causes, uint64_t run, const char *version,
                            const char *pod, uint64_t answers)
{
    struct scene scene;
    scene_versions(&scene, 2);
    scene_good_but(&scene, 0);
    scene_run_until(&scene, 0, 1);
    for (uint64_t i = 1; i <= answers; i++) {
        scene_answer(&scene, 0, &(struct answer){.sequence = i, .version = version, .pod = pod});
    }
    bool news = every_causes_note(causes, run, scene_judge(&scene));
    assert_int_equal(scene.report.result, CHECK_FAILED);
    scene_end(&scene);
    return news;
}

static void another_server_is_another_cause_but_another_pod_of_it_is_not(void **state)
{
    (void)state;
    struct every_causes causes = {0};
    is_misrouted_to(&causes, 0, "v2", "pod-a", 2);
    assert_false(is_misrouted_to(&causes, 1, "v2", "pod-b", 3));
    assert_true(is_misrouted_to(&causes, 2, "v3", "pod-b", 2));
    assert_false(is_misrouted_to(&causes, 3, "v2", "pod-b", 2));
}

/* A run in which so many streams of v1.1 are rejected. */
static bool is_rejected_with(struct every_causes *causes, uint64_t run, enum rpc_code code,
                             size_t streams)
{
    struct scene scene;
    scene_versions(&scene, 3);
    for (size_t i = 0; i < scene.plan.stream_count; i++) {
        if (i % 2 == 0 && i / 2 < streams) {
            scene_ended(&scene, i, code, RPC_FROM_TRAILERS);
        } else {
            scene_good(&scene, i);
        }
    }
    bool news = every_causes_note(causes, run, scene_judge(&scene));
    scene_finding(&scene, 0, CHECK_REJECTION);
    scene_end(&scene);
    return news;
}

static void another_status_is_another_cause_but_another_number_of_streams_is_not(void **state)
{
    (void)state;
    struct every_causes causes = {0};
    assert_true(is_rejected_with(&causes, 0, RPC_UNIMPLEMENTED, 3));
    assert_false(is_rejected_with(&causes, 1, RPC_UNIMPLEMENTED, 1));
    assert_true(is_rejected_with(&causes, 2, RPC_NOT_FOUND, 2));
    assert_false(is_rejected_with(&causes, 3, RPC_UNIMPLEMENTED, 2));
}

static void a_good_run_has_no_cause(void **state)
{
    (void)state;
    struct every_causes causes = {0};
    struct scene scene;
    scene_versions(&scene, 2);
    scene_good_all(&scene);
    assert_false(every_causes_note(&causes, 0, scene_judge(&scene)));
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_run_and_a_misroute_are_counted_apart),
        cmocka_unit_test(a_rejection_is_no_misroute_but_an_answer_in_its_place_is),
        cmocka_unit_test(nothing_is_told_of_a_run_that_was_not),
        cmocka_unit_test(echoes_of_no_ping_have_no_round_trip),
        cmocka_unit_test(another_reason_is_news_once_and_again_when_it_was_gone_for_long),
        cmocka_unit_test(reasons_without_end_are_bounded),
        cmocka_unit_test(another_server_is_another_cause_but_another_pod_of_it_is_not),
        cmocka_unit_test(another_status_is_another_cause_but_another_number_of_streams_is_not),
        cmocka_unit_test(a_good_run_has_no_cause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
