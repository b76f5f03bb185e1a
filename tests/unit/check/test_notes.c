/* What is said beside a verdict: of weights that are right, of rewriting routes, of a proxy's log.
 */
#include "scene.h"

#include "base/mem.h"
#include "check/log_proxied.h"
#include "check/notes.h"
#include "cli/exit.h"

/* Two versions that pass, with the notes on each. */
struct noted {
    struct scene scene;
    struct check_notes notes[2];
};

static void begin(struct noted *noted)
{
    scene_versions(&noted->scene, 4);
    scene_good_all(&noted->scene);
}

static void judge(struct noted *noted)
{
    const struct check_report *report = scene_judge(&noted->scene);
    for (size_t i = 0; i < ARRAY_SIZE(noted->notes); i++) {
        check_report_notes(report, i, &noted->notes[i]);
    }
}

/* Streams of v1.1, which routes send to the one backend that serves it, live for two seconds. */
static void begin_held(struct noted *noted)
{
    begin(noted);
    struct role_expectation *expect = &noted->scene.plan.groups[0].expect;
    expect->shares[expect->share_count++] = (struct role_share){"server-v1", 1, 1};
    noted->scene.plan.split = true;
    noted->scene.plan.hold_ms = 2000;
}

static void a_run_with_nothing_beside_it_has_no_notes(void **state)
{
    (void)state;
    struct noted noted;
    begin(&noted);
    judge(&noted);
    assert_int_equal(noted.scene.report.exit_code, EXIT_GOOD);
    assert_int_equal(noted.notes[0].count, 0);
    assert_int_equal(noted.notes[1].count, 0);
    scene_end(&noted.scene);
}

/* ---- streams that are held ------------------------------------------------------------------- */

static void held_streams_are_told_with_those_that_live(void **state)
{
    (void)state;
    struct noted noted;
    begin_held(&noted);
    scene_ended(&noted.scene, 0, RPC_UNAVAILABLE, RPC_FROM_TRAILERS);
    judge(&noted);
    assert_int_equal(noted.notes[0].count, 2);
    assert_contains(noted.notes[0].texts[0], "Split of new streams: OK, server-v1 4 of 4 (100 %");
    assert_string_equal(noted.notes[0].texts[1],
                        "live streams at the end: server-v1 3 of 3 (100 %)");
    scene_end(&noted.scene);
}

static void streams_that_are_not_held_or_do_not_live_are_not_told(void **state)
{
    (void)state;
    for (int held = 0; held < 2; held++) {
        struct noted noted;
        begin_held(&noted);
        noted.scene.plan.hold_ms *= (uint64_t)held;
        for (size_t i = 0; i < noted.scene.plan.stream_count && held; i++) {
            scene_ended(&noted.scene, i, RPC_UNAVAILABLE, RPC_FROM_TRAILERS);
        }
        judge(&noted);
        assert_int_equal(noted.notes[0].count, 1);
        assert_contains(noted.notes[0].texts[0], "Split of new streams: OK, server-v1 4 of 4");
        scene_end(&noted.scene);
    }
}

/* Of the second version: nothing says which backend its live streams are at. */
static void nothing_is_told_of_a_version_whose_weights_are_not_known(void **state)
{
    (void)state;
    struct noted noted;
    begin_held(&noted);
    judge(&noted);
    assert_int_equal(noted.scene.report.splits[1].live, 4);
    assert_int_equal(noted.notes[1].count, 0);
    assert_contains(scene_finding(&noted.scene, 1, CHECK_SPLIT)->text, "the split was not checked");
    scene_end(&noted.scene);
}

/* ---- a rule that rewrites -------------------------------------------------------------------- */

static void a_rule_that_rewrites_is_told_with_its_version_alone(void **state)
{
    (void)state;
    char version[] = "agent-version";
    char id[] = "agent-id";
    char value[] = "v9.9";
    const struct route_change sets = {.kind = ROUTE_HEADER_SET, .name = version, .value = value};
    const struct route_change removes = {.kind = ROUTE_HEADER_REMOVE, .name = id};
    struct noted noted;
    begin(&noted);
    noted.scene.plan.groups[1].expect.rewrite =
        (struct role_rewrite){.id = &removes, .version = &sets};
    judge(&noted);
    assert_int_equal(noted.notes[0].count, 0);
    assert_int_equal(noted.notes[1].count, 1);
    assert_string_equal(noted.notes[1].texts[0],
                        "its rule sets agent-version=v9.9 and removes agent-id");
    scene_end(&noted.scene);
}

/* ---- a proxy's log --------------------------------------------------------------------------- */

static void a_proxys_log_is_told_by_what_became_of_its_streams(void **state)
{
    (void)state;
    static const struct {
        struct check_proxied proxied;
        const char *told;
    } cases[] = {
        {{.answered = 1}, "1 stream by the proxy's log"},
        {{.answered = 1200, .refused = 3, .unanswered = 1},
         "1200 streams by the proxy's log; 3 refused, 1 not answered"},
        {{.unanswered = 2, .disputed = 1},
         "0 streams by the proxy's log; 2 not answered, 1 misrouted by its own account"},
        {{.answered = 70, .other_endpoints = 6},
         "70 streams by the proxy's log; 6 of them to more endpoints than the 64 that are listed"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char out[CHECK_TEXT_BYTES];
        struct noted noted;
        struct sentence text = sentence_begin(out, sizeof(out));
        assert_true(check_add_proxied(&text, &cases[i].proxied));
        assert_string_equal(out, cases[i].told);
        begin(&noted);
        scene_judge(&noted.scene);
        noted.scene.report.groups[0].proxied = cases[i].proxied;
        check_report_notes(&noted.scene.report, 0, &noted.notes[0]);
        assert_int_equal(noted.notes[0].count, 1);
        assert_string_equal(noted.notes[0].texts[0], cases[i].told);
        scene_end(&noted.scene);
    }
}

static void a_log_without_streams_says_nothing(void **state)
{
    (void)state;
    char out[CHECK_TEXT_BYTES];
    struct sentence text = sentence_begin(out, sizeof(out));
    assert_false(check_add_proxied(&text, &(struct check_proxied){0}));
    assert_string_equal(out, "");
}

/* "reason-1" once, "reason-2" twice, and so on. */
static const char *told_of_refusals(int reasons, char *out, size_t out_bytes)
{
    struct check_proxy_log log = {0};
    for (int reason = 1; reason <= reasons; reason++) {
        for (int i = 0; i < reason; i++) {
            char text[32];
            snprintf(text, sizeof(text), "reason-%d", reason);
            check_proxy_log_refuse(&log, text);
        }
    }
    struct sentence text = sentence_begin(out, out_bytes);
    check_add_refusals(&text, &log);
    return out;
}

static void refusals_are_told_by_reason_and_the_rest_together(void **state)
{
    (void)state;
    char out[CHECK_TEXT_BYTES];
    assert_string_equal(told_of_refusals(1, out, sizeof(out)), "1 stream: reason-1 (1)");
    assert_string_equal(told_of_refusals(2, out, sizeof(out)),
                        "3 streams: reason-1 (1), reason-2 (2)");
    assert_null(strstr(told_of_refusals(CHECK_REASONS_MAX, out, sizeof(out)), "others"));
    told_of_refusals(CHECK_REASONS_MAX + 2, out, sizeof(out));
    assert_contains(out, "55 streams: reason-1 (1), ");
    assert_contains(out, "reason-8 (8), others (19)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_with_nothing_beside_it_has_no_notes),
        cmocka_unit_test(held_streams_are_told_with_those_that_live),
        cmocka_unit_test(streams_that_are_not_held_or_do_not_live_are_not_told),
        cmocka_unit_test(nothing_is_told_of_a_version_whose_weights_are_not_known),
        cmocka_unit_test(a_rule_that_rewrites_is_told_with_its_version_alone),
        cmocka_unit_test(a_proxys_log_is_told_by_what_became_of_its_streams),
        cmocka_unit_test(a_log_without_streams_says_nothing),
        cmocka_unit_test(refusals_are_told_by_reason_and_the_rest_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
