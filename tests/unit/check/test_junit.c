/* What CI servers read: each check that failed, or proved nothing, stands in its own case. */
#include "scene.h"

#include "check/print.h"

#include <signal.h>
#include <stdlib.h>

/* The report as JUnit, freed by the caller. */
static char *junit_of(struct scene *scene)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    check_print_junit(out, scene_judge(scene));
    fclose(out);
    return text;
}

/* The case of that name up to its end, in `text`. */
static const char *case_of(const char *text, const char *name, char out[static 4096])
{
    char head[128];
    snprintf(head, sizeof(head), " name=\"%s\">", name);
    const char *from = strstr(text, head);
    const char *to = from != NULL ? strstr(from, "</testcase>") : NULL;
    if (to == NULL) {
        fail_msg("no case \"%s\" in %s", name, text);
    }
    snprintf(out, 4096, "%.*s", (int)(to - from), from);
    return out;
}

static bool has_problem(const char *one)
{
    return strstr(one, "<failure") != NULL || strstr(one, "<error") != NULL;
}

/* Answers stream 0, of v1.1, well but for the last message. */
static void answer_but_last(struct scene *scene, const struct answer *last)
{
    scene_versions(scene, 1);
    scene_good(scene, 1);
    scene_run_until(scene, 0, SCENE_MESSAGES);
    scene_answer(scene, 0, last);
    scene->run.streams[0].end = CHECK_END_DONE;
}

static void a_run_that_passed_has_no_problem(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 2);
    scene_good_all(&scene);
    char *text = junit_of(&scene);
    assert_contains(text, "tests=\"2\" failures=\"0\" errors=\"0\"");
    assert_false(has_problem(text));
    free(text);
    scene_end(&scene);
}

static void a_check_that_failed_is_its_cases_failure(void **state)
{
    (void)state;
    struct scene scene;
    char one[4096];
    answer_but_last(&scene, &(struct answer){.sequence = SCENE_MESSAGES, .version = "v2"});
    char *text = junit_of(&scene);
    assert_contains(text, "tests=\"2\" failures=\"1\" errors=\"0\"");
    case_of(text, "Agent v1.1", one);
    assert_contains(one, "<failure type=\"version\" message=\"expected server v1, answered: v2 (1 "
                         "of 5 messages");
    assert_null(strstr(one, "<error"));
    assert_false(has_problem(case_of(text, "Agent v2.1", one)));
    free(text);
    scene_end(&scene);
}

static void one_finding_alone_is_enough(void **state)
{
    (void)state;
    struct scene scene;
    char one[4096];
    answer_but_last(&scene, &(struct answer){.sequence = SCENE_MESSAGES, .agent_id = "another"});
    char *text = junit_of(&scene);
    assert_int_equal(scene.report.groups[0].finding_count, 1);
    assert_contains(case_of(text, "Agent v1.1", one), "<failure type=\"isolation\"");
    free(text);
    scene_end(&scene);
}

/* JUnit has room for one problem in a case. */
static void further_findings_are_said_behind_the_first(void **state)
{
    (void)state;
    struct scene scene;
    char one[4096];
    answer_but_last(
        &scene,
        &(struct answer){.sequence = SCENE_MESSAGES, .version = "v2", .agent_id = "another"});
    char *text = junit_of(&scene);
    case_of(text, "Agent v1.1", one);
    const char *failure = strstr(one, "<failure");
    const char *rest = strstr(one, "<system-out>");
    assert_non_null(failure);
    assert_null(strstr(failure + 1, "<failure"));
    assert_contains(failure, "type=\"version\"");
    assert_contains(rest, "carried metadata of another stream");
    assert_contains(rest, "answered by more than one pod");
    free(text);
    scene_end(&scene);
}

static void no_evidence_is_an_error(void **state)
{
    (void)state;
    struct scene scene;
    char one[4096];
    scene_versions(&scene, 1);
    scene_good(&scene, 1);
    scene_ended(&scene, 0, RPC_UNAVAILABLE, RPC_FROM_TRAILERS);
    char *text = junit_of(&scene);
    assert_contains(text, "tests=\"2\" failures=\"0\" errors=\"1\"");
    case_of(text, "Agent v1.1", one);
    assert_contains(one, "<error type=\"evidence\"");
    assert_null(strstr(one, "<failure"));
    free(text);
    scene_end(&scene);
}

static void without_a_connection_no_case_passes(void **state)
{
    (void)state;
    struct scene scene;
    char one[4096];
    scene_versions(&scene, 1);
    scene.run.connections_ready = 0;
    scene.run.connection_failed = true;
    net_error_set(&scene.run.error, NET_REFUSED, "refused");
    char *text = junit_of(&scene);
    assert_contains(text, "tests=\"2\" failures=\"0\" errors=\"2\"");
    assert_contains(case_of(text, "Agent v1.1", one), "<error type=\"not_connected\"");
    assert_contains(case_of(text, "Agent v2.1", one), "<error type=\"not_connected\"");
    free(text);
    scene_end(&scene);
}

static void what_was_interrupted_has_not_passed(void **state)
{
    (void)state;
    struct scene scene;
    char one[4096];
    scene_versions(&scene, 1);
    scene_good_all(&scene);
    scene.run.interrupted_by = SIGINT;
    char *text = junit_of(&scene);
    assert_contains(text, "tests=\"2\" failures=\"0\" errors=\"2\"");
    assert_contains(case_of(text, "Agent v1.1", one), "<error type=\"interrupted\"");
    free(text);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_that_passed_has_no_problem),
        cmocka_unit_test(a_check_that_failed_is_its_cases_failure),
        cmocka_unit_test(one_finding_alone_is_enough),
        cmocka_unit_test(further_findings_are_said_behind_the_first),
        cmocka_unit_test(no_evidence_is_an_error),
        cmocka_unit_test(without_a_connection_no_case_passes),
        cmocka_unit_test(what_was_interrupted_has_not_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
