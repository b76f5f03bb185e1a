/* What logs prove that hold more names than can be compared, and what they do not. */
#include "check/log_judge.h"
#include "check/verdict.h"
#include "cli/exit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PATH "/p.S/M"

/* Logs of agents of v1.1, which belongs to v1; two answers on one stream are enough. */
struct scene {
    struct check_plan plan;
    struct check_run run;
    struct check_logs logs;
    struct check_report report;
};

static void begin(struct scene *scene, enum check_command command)
{
    static const struct check_log_owner owner = {.path = PATH};
    memset(scene, 0, sizeof(*scene));
    scene->plan = (struct check_plan){.command = command, .messages = 2, .from_logs = true};
    if (command == CHECK_VERIFY) {
        struct check_group *group =
            check_plan_add_group(&scene->plan, CHECK_GROUP_VERSION, CHECK_HEADER_ONCE, "v1.1");
        group->expect.rule = ROLE_EXPECT_SERVER;
        group->expect.version_count = 1;
        strcpy(group->expect.versions[0], "v1");
    }
    check_run_init(&scene->run, &scene->plan, "logs", 0);
    check_logs_init(&scene->logs, &scene->run, &scene->plan, &owner);
}

static void end(struct scene *scene)
{
    check_report_deinit(&scene->report);
    check_logs_deinit(&scene->logs);
    check_run_deinit(&scene->run);
    check_plan_deinit(&scene->plan);
}

static void tell(struct scene *scene, enum check_log_kind kind, const char *id, const char *pod)
{
    static struct check_log_event event = {.version = "v1.1", .peer_version = "v1", .line = ""};
    event.kind = kind;
    snprintf(event.id, sizeof(event.id), "%s", id);
    snprintf(event.peer_id, sizeof(event.peer_id), "%s", pod);
    check_logs_take(&scene->logs, &event);
}

/* A stream that is answered twice. */
static void tell_stream(struct scene *scene, const char *id, const char *first, const char *second)
{
    tell(scene, CHECK_LOG_AGENT_OPENED, id, "");
    tell(scene, CHECK_LOG_PONG, id, first);
    tell(scene, CHECK_LOG_PONG, id, second);
}

/* Agents until `left` more names can be told apart. */
static void fill(struct scene *scene, size_t left)
{
    const struct check_names *names = &scene->run.names;
    for (size_t i = 0; names->count + left < names->limit; i++) {
        char id[32];
        snprintf(id, sizeof(id), "agent-%zu", i);
        tell_stream(scene, id, "pod", "pod");
    }
}

static const struct check_report *verify(struct scene *scene)
{
    check_logs_verify(&scene->logs, &scene->report);
    return &scene->report;
}

static void as_many_names_as_can_be_compared_pass(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, CHECK_VERIFY);
    fill(&scene, 0);
    assert_int_equal(scene.run.names.count, scene.run.names.limit);
    assert_int_equal(verify(&scene)->exit_code, EXIT_GOOD);
    end(&scene);
}

static void an_agent_too_many_keeps_the_verdict_open(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, CHECK_VERIFY);
    fill(&scene, 0);
    tell(&scene, CHECK_LOG_PONG, "one more", "pod");
    assert_int_equal(verify(&scene)->exit_code, EXIT_NO_EVIDENCE);
    assert_int_equal(scene.report.result, CHECK_NO_EVIDENCE);
    assert_non_null(strstr(scene.report.groups[0].findings[0].text, ": 1 lines were not compared"));
    end(&scene);
}

/* Its pods are all "one of too many", as if the stream had stayed on one. */
static void a_stream_whose_pods_are_too_many_is_not_sticky(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, CHECK_VERIFY);
    fill(&scene, 1);
    tell_stream(&scene, "the last", "pod-b", "pod-c");
    assert_int_equal(verify(&scene)->exit_code, EXIT_NO_EVIDENCE);
    end(&scene);
}

static void a_fault_is_one_however_many_names_there_are(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, CHECK_VERIFY);
    fill(&scene, 0);
    tell(&scene, CHECK_LOG_PONG, "one more", "pod");
    tell(&scene, CHECK_LOG_PONG, "agent-0", "another pod");
    assert_int_equal(verify(&scene)->exit_code, EXIT_CHECK_FAILED);
    end(&scene);
}

/* Judges the agents that are called "agent-0...". */
static int judge_sticky(struct scene *scene, const char *second_pod, uint64_t dropped)
{
    begin(scene, CHECK_STICKY);
    tell_stream(scene, "agent-0", "pod", second_pod);
    tell_stream(scene, "other", "pod", "pod-b");
    scene->logs.dropped = dropped;
    check_logs_sticky(&scene->logs, "agent-0", &scene->report);
    int exit_code = scene->report.exit_code;
    end(scene);
    return exit_code;
}

static void sticky_test_is_as_careful(void **state)
{
    (void)state;
    struct scene scene;
    assert_int_equal(judge_sticky(&scene, "pod", 0), EXIT_GOOD);
    assert_int_equal(judge_sticky(&scene, "pod", 1), EXIT_NO_EVIDENCE);
    assert_int_equal(judge_sticky(&scene, "pod-b", 0), EXIT_CHECK_FAILED);
    assert_int_equal(judge_sticky(&scene, "pod-b", 1), EXIT_CHECK_FAILED);
}

static void nothing_in_the_logs_is_no_evidence(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, CHECK_VERIFY);
    assert_int_equal(verify(&scene)->exit_code, EXIT_NO_EVIDENCE);
    end(&scene);
    begin(&scene, CHECK_STICKY);
    check_logs_sticky(&scene.logs, "", &scene.report);
    assert_int_equal(scene.report.exit_code, EXIT_NO_EVIDENCE);
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_names_as_can_be_compared_pass),
        cmocka_unit_test(an_agent_too_many_keeps_the_verdict_open),
        cmocka_unit_test(a_stream_whose_pods_are_too_many_is_not_sticky),
        cmocka_unit_test(a_fault_is_one_however_many_names_there_are),
        cmocka_unit_test(sticky_test_is_as_careful),
        cmocka_unit_test(nothing_in_the_logs_is_no_evidence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
