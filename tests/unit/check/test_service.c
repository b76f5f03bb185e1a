/* What is said of a service that is not PingPong, and what is not. */
#include "scene.h"

#include "base/mem.h"
#include "check/print.h"
#include "check/service.h"
#include "cli/exit.h"

static struct role_service service;

/* One group of two streams of a service whose answers name server and pod. */
static void begin(struct scene *scene, enum role_call call)
{
    memset(&service, 0, sizeof(service));
    service.call = call;
    service.server.kind = service.pod.kind = ROLE_SOURCE_FIELD;
    strcpy(service.path, "/a.B/C");
    strcpy(service.pod.text, "field 2");
    scene_versions(scene, 2);
    scene->plan.service = &service;
}

/* An answer, as the pinger makes it. */
static void hear(struct scene *scene, size_t stream, const char *server, const char *pod)
{
    const struct rpc_ping_response response = {.message = "",
                                               .server_version = server,
                                               .server_id = pod,
                                               .agent_id = "",
                                               .agent_version = ""};
    assert_true(check_run_received(&scene->run, stream, &response));
}

/* `sent` messages and as many good answers as `answers`, then OK. */
static void run_well(struct scene *scene, size_t stream, uint64_t sent, size_t answers)
{
    scene_send(scene, stream, sent);
    for (size_t i = 0; i < answers; i++) {
        hear(scene, stream, stream % 2 == 0 ? "v1" : "v2", "pod");
    }
    scene->run.streams[stream].end = CHECK_END_DONE;
}

static void run_all_well(struct scene *scene, uint64_t sent, size_t answers)
{
    for (size_t i = 0; i < scene->plan.stream_count; i++) {
        run_well(scene, i, sent, answers);
    }
}

static const unsigned ONLY_PINGPONG =
    1U << CHECK_ISOLATION | 1U << CHECK_ORDER | 1U << CHECK_LOSS | 1U << CHECK_DUPLICATION;

static void any_number_of_answers_passes_and_says_what_it_does_not_show(void **state)
{
    (void)state;
    static const size_t counts[] = {2, SCENE_MESSAGES, SCENE_MESSAGES + 30};
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        struct scene scene;
        begin(&scene, ROLE_CALL_BIDI);
        run_all_well(&scene, SCENE_MESSAGES, counts[i]);
        const struct check_report *report = scene_judge(&scene);
        assert_int_equal(report->exit_code, EXIT_GOOD);
        assert_int_equal(report->groups[0].unchecked, ONLY_PINGPONG);
        scene_end(&scene);
    }
}

static void one_answer_does_not_show_that_a_stream_stays(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, ROLE_CALL_BIDI);
    run_all_well(&scene, SCENE_MESSAGES, 1);
    assert_int_equal(scene_judge(&scene)->groups[0].unchecked,
                     ONLY_PINGPONG | 1U << CHECK_STICKINESS);
    scene_end(&scene);
}

static void one_wrong_answer_fails(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, ROLE_CALL_SERVER_STREAM);
    run_all_well(&scene, 1, SCENE_MESSAGES);
    hear(&scene, 0, "v2", "pod");
    const struct check_report *report = scene_judge(&scene);
    assert_int_equal(report->exit_code, EXIT_CHECK_FAILED);
    assert_int_equal(scene_finding(&scene, 0, CHECK_VERSION)->count, 1);
    assert_int_equal(report->groups[1].result, CHECK_PASSED);
    scene_end(&scene);
}

static void an_answer_without_a_name_is_not_judged_and_keeps_the_verdict_open(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, ROLE_CALL_BIDI);
    run_all_well(&scene, SCENE_MESSAGES, SCENE_MESSAGES);
    hear(&scene, 0, "", "pod");
    const struct role_naming naming = {.who = {.server_version = "", .server_id = ""},
                                       .server_missing = "no header x-up, but date",
                                       .pod_missing = ""};
    check_run_named(&scene.run, 0, 0, &naming);
    const struct check_report *report = scene_judge(&scene);
    assert_int_equal(report->exit_code, EXIT_NO_EVIDENCE);
    const struct check_finding *finding = scene_finding(&scene, 0, CHECK_VERSION);
    assert_int_equal(finding->count, 1);
    assert_non_null(strstr(finding->text,
                           "1 of 11 answers do not name their server: no header x-up, but date"));
    assert_true((report->groups[0].unchecked & 1U << CHECK_VERSION) != 0);
    scene_end(&scene);
}

static void a_trailer_names_the_answers_of_its_own_call_alone(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, ROLE_CALL_UNARY);
    run_all_well(&scene, SCENE_MESSAGES, SCENE_MESSAGES);
    hear(&scene, 0, "", "");
    hear(&scene, 0, "", "");
    const struct role_naming naming = {
        .who = {.server_version = "v2", .server_id = "p"}, .server_missing = "", .pod_missing = ""};
    check_run_named(&scene.run, 0, SCENE_MESSAGES + 1, &naming);
    scene_judge(&scene);
    assert_int_equal(scene_finding(&scene, 0, CHECK_VERSION)->count, 1);
    assert_string_equal(check_names_text(&scene.run.names,
                                         scene.run.streams[0].pongs[SCENE_MESSAGES].server_version),
                        "");
    scene_end(&scene);
}

static void a_stream_that_moves_fails_where_its_pods_have_names(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, ROLE_CALL_BIDI);
    run_all_well(&scene, SCENE_MESSAGES, SCENE_MESSAGES);
    hear(&scene, 0, "v1", ""); /* no name is no other name */
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_GOOD);
    assert_true((scene.report.groups[0].unchecked & 1U << CHECK_STICKINESS) != 0);
    check_report_deinit(&scene.report);
    hear(&scene, 0, "v1", "other");
    assert_int_equal(scene_judge(&scene)->exit_code, EXIT_CHECK_FAILED);
    assert_int_equal(scene_finding(&scene, 0, CHECK_STICKINESS)->count, 1);
    scene_end(&scene);
}

static void unary_calls_may_go_to_any_pod(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, ROLE_CALL_UNARY);
    run_all_well(&scene, SCENE_MESSAGES, SCENE_MESSAGES - 1);
    for (size_t i = 0; i < scene.plan.stream_count; i++) {
        hear(&scene, i, i % 2 == 0 ? "v1" : "v2", "other");
    }
    const struct check_report *report = scene_judge(&scene);
    assert_int_equal(report->exit_code, EXIT_GOOD);
    assert_int_equal(report->groups[0].unchecked, ONLY_PINGPONG | 1U << CHECK_STICKINESS);
    char text[CHECK_TEXT_BYTES];
    check_unchecked_text(&scene.plan, report->groups[0].unchecked, text, sizeof(text));
    assert_non_null(strstr(text, "sticky pod: each unary call may go to another pod"));
    scene_end(&scene);
}

static void a_name_that_comes_once_for_a_call_says_nothing_of_its_messages(void **state)
{
    (void)state;
    static const enum role_source_kind kinds[] = {ROLE_SOURCE_HEADER, ROLE_SOURCE_TRAILER,
                                                  ROLE_SOURCE_NONE};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        struct scene scene;
        begin(&scene, ROLE_CALL_BIDI);
        scene.plan.command = CHECK_STICKY;
        service.pod.kind = kinds[i];
        run_all_well(&scene, SCENE_MESSAGES, SCENE_MESSAGES);
        assert_int_equal(scene_judge(&scene)->exit_code, EXIT_NO_EVIDENCE);
        assert_false(check_is_sticky(&scene.report.groups[0]));
        scene_end(&scene);
    }
}

static void
a_status_before_an_answer_is_no_evidence_and_an_unknown_method_is_a_rejection(void **state)
{
    (void)state;
    static const struct {
        enum rpc_code code;
        int exit_code;
    } cases[] = {{RPC_OK, EXIT_NO_EVIDENCE},
                 {RPC_NOT_FOUND, EXIT_NO_EVIDENCE}, /* the message may be about nothing */
                 {RPC_INVALID_ARGUMENT, EXIT_NO_EVIDENCE},
                 {RPC_UNIMPLEMENTED, EXIT_CHECK_FAILED}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct scene scene;
        begin(&scene, ROLE_CALL_SERVER_STREAM);
        run_all_well(&scene, 1, SCENE_MESSAGES);
        struct check_observation *seen = &scene.run.streams[0];
        seen->pong_count = 0;
        seen->end = CHECK_END_BY_PEER;
        rpc_status_set(&seen->status, cases[i].code, "as told");
        seen->status.origin = RPC_FROM_TRAILERS;
        assert_int_equal(scene_judge(&scene)->exit_code, cases[i].exit_code);
        assert_non_null(
            strstr(scene.report.groups[0].findings[0].text, rpc_code_name(cases[i].code)));
        scene_end(&scene);
    }
}

static void a_stream_that_is_not_done_tells_how_far_it_came(void **state)
{
    (void)state;
    static const struct {
        enum role_call call;
        enum check_end end;
        bool opened;
        uint64_t sent;
        size_t answers;
        const char *told;
    } cases[] = {
        {ROLE_CALL_BIDI, CHECK_END_TIMED_OUT, false, 0, 0,
         "no connection within 10.0s (--timeout)"},
        {ROLE_CALL_BIDI, CHECK_END_TIMED_OUT, true, 3, 1,
         "1 answer to 3 of 5 messages within 10.0s (--timeout)"},
        {ROLE_CALL_BIDI, CHECK_END_TIMED_OUT, true, SCENE_MESSAGES, 2,
         "2 answers to 5 messages within 10.0s (--timeout)"},
        {ROLE_CALL_SERVER_STREAM, CHECK_END_TIMED_OUT, true, 1, 0,
         "0 answers to 1 message within 10.0s (--timeout)"},
        {ROLE_CALL_BIDI, CHECK_END_OPEN, true, 4, 4,
         "interrupted after 4 answers to 4 of 5 messages"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct scene scene;
        char told[CHECK_TEXT_BYTES];
        begin(&scene, cases[i].call);
        for (size_t s = 1; s < scene.plan.stream_count; s++) {
            run_well(&scene, s, check_service_sends(&scene.plan), SCENE_MESSAGES);
        }
        run_well(&scene, 0, cases[i].sent, cases[i].answers);
        scene.run.streams[0].end = cases[i].end;
        scene.run.streams[0].opened = cases[i].opened;
        const struct check_report *report = scene_judge(&scene);
        assert_int_equal(report->exit_code, EXIT_NO_EVIDENCE);
        assert_int_equal(report->groups[1].result, CHECK_PASSED);
        snprintf(told, sizeof(told), "not enough evidence from 1 of 2 streams: %s", cases[i].told);
        assert_string_equal(scene_finding(&scene, 0, CHECK_EVIDENCE)->text, told);
        scene_end(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_answers_passes_and_says_what_it_does_not_show),
        cmocka_unit_test(one_answer_does_not_show_that_a_stream_stays),
        cmocka_unit_test(one_wrong_answer_fails),
        cmocka_unit_test(an_answer_without_a_name_is_not_judged_and_keeps_the_verdict_open),
        cmocka_unit_test(a_trailer_names_the_answers_of_its_own_call_alone),
        cmocka_unit_test(a_stream_that_moves_fails_where_its_pods_have_names),
        cmocka_unit_test(unary_calls_may_go_to_any_pod),
        cmocka_unit_test(a_name_that_comes_once_for_a_call_says_nothing_of_its_messages),
        cmocka_unit_test(a_stream_that_is_not_done_tells_how_far_it_came),
        cmocka_unit_test(
            a_status_before_an_answer_is_no_evidence_and_an_unknown_method_is_a_rejection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
