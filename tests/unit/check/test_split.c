/* Weights judged on counts: how often right ones are called wrong, and wrong ones found. */
#include "scene.h"

#include "base/mem.h"
#include "check/binomial.h"
#include "check/split_count.h"
#include "cli/exit.h"

#include <stdlib.h>

#define SEEDS      1000
#define TEN_POINTS 0.1

struct weight {
    const char *backend;
    uint64_t weight;
    const char *version;
};

/* What --routes would say of a version. */
static struct role_expectation routes_with(const struct weight *weights, size_t count)
{
    struct role_expectation expect = {.rule = ROLE_EXPECT_SERVER};
    for (size_t i = 0; i < count; i++) {
        size_t v = 0;
        while (v < expect.version_count && strcmp(expect.versions[v], weights[i].version) != 0) {
            v++;
        }
        if (v == expect.version_count) {
            strcpy(expect.versions[expect.version_count++], weights[i].version);
        }
        expect.shares[expect.share_count++] =
            (struct role_share){weights[i].backend, weights[i].weight, UINT32_C(1) << v};
    }
    return expect;
}

static struct role_expectation ninety_ten(void)
{
    static const struct weight weights[] = {{"server-v1", 90, "v1"}, {"server-v2", 10, "v2"}};
    return routes_with(weights, 2);
}

static struct split split_of(const struct role_expectation *expect)
{
    struct split split;
    split_init(&split, expect);
    return split;
}

/* ---- simulation ------------------------------------------------------------------------------ */

/* A generator of its own (Knuth's MMIX numbers), so that a seed gives the same streams for ever. */
static double unit(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*state >> 11) * 0x1p-53;
}

static uint64_t planned(const struct role_expectation *expect, size_t judgements)
{
    struct split split = split_of(expect);
    return split_streams_needed(&split, judgements, TEN_POINTS);
}

/* So many streams, each to a part by chance with its true share. */
static enum split_result simulate(const struct role_expectation *expect, const double *truth,
                                  size_t judgements, uint64_t streams, uint64_t seed)
{
    struct split split = split_of(expect);
    uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    split.streams = streams;
    for (uint64_t i = 0; i < split.streams; i++) {
        double point = unit(&state);
        size_t part = 0;
        while (part + 1 < split.part_count && point >= truth[part]) {
            point -= truth[part++];
        }
        split.parts[part].streams++;
    }
    split_judge(&split, judgements, TEN_POINTS);
    return split.result;
}

static unsigned count_wrong(const struct role_expectation *expect, const double *truth,
                            size_t judgements)
{
    unsigned wrong = 0;
    uint64_t streams = planned(expect, judgements);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        enum split_result result = simulate(expect, truth, judgements, streams, seed);
        assert_int_not_equal(result, SPLIT_TOO_FEW);
        wrong += result == SPLIT_WRONG;
    }
    return wrong;
}

static void right_weights_are_called_wrong_in_one_run_of_a_hundred_at_most(void **state)
{
    (void)state;
    struct role_expectation expect = ninety_ten();
    assert_true(count_wrong(&expect, (double[]){0.9, 0.1}, 1) <= SEEDS / 100);
    static const struct weight three[] = {{"a", 6, "v1"}, {"b", 3, "v2"}, {"c", 1, "v3"}};
    expect = routes_with(three, 3);
    assert_true(count_wrong(&expect, (double[]){0.6, 0.3, 0.1}, 3) <= SEEDS / 100);
}

static void four_versions_together_give_no_more_false_alarms(void **state)
{
    (void)state;
    struct role_expectation expect = ninety_ten();
    unsigned runs = 0;
    uint64_t streams = planned(&expect, 4);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        bool wrong = false;
        for (uint64_t version = 0; version < 4; version++) {
            wrong |= simulate(&expect, (double[]){0.9, 0.1}, 4, streams, 4 * seed + version) ==
                     SPLIT_WRONG;
        }
        runs += wrong;
    }
    assert_true(runs <= SEEDS / 100);
}

static void eighty_twenty_is_found_in_99_of_100_runs(void **state)
{
    (void)state;
    struct role_expectation expect = ninety_ten();
    assert_true(count_wrong(&expect, (double[]){0.8, 0.2}, 1) >= SEEDS * 99 / 100);
    assert_true(count_wrong(&expect, (double[]){1, 0}, 1) == SEEDS);
    assert_true(count_wrong(&expect, (double[]){0.8, 0.2}, 4) >= SEEDS * 99 / 100);
    assert_true(count_wrong(&expect, (double[]){0.1, 0.9}, 1) == SEEDS); /* swapped */
}

/* ---- one verdict ----------------------------------------------------------------------------- */

static struct split judged(const struct role_expectation *expect, const uint64_t *counts)
{
    struct split split = split_of(expect);
    for (size_t i = 0; i < split.part_count; i++) {
        split.parts[i].streams = counts[i];
        split.streams += counts[i];
    }
    split_judge(&split, split_judgements(&split), TEN_POINTS);
    return split;
}

static void what_would_have_shown_is_told(void **state)
{
    (void)state;
    struct role_expectation expect = ninety_ten();
    struct split split = judged(&expect, (uint64_t[]){315, 35});
    assert_int_equal(split.result, SPLIT_RIGHT);
    assert_true(split.parts[0].found_below > 0.8 && split.parts[0].found_below < 0.9);
    assert_true(split.parts[0].found_above > 0.9 && split.parts[0].found_above < 1);
    assert_true(split.parts[0].low < 0.9 && split.parts[0].high > 0.9);
    /* as far away as said, both counts that are ruled out are ruled out */
    assert_int_equal(judged(&expect, (uint64_t[]){280, 70}).result, SPLIT_WRONG);
    assert_int_equal(judged(&expect, (uint64_t[]){350, 0}).result, SPLIT_WRONG);
}

/* Exactly: every count of a backend, with its chance where the weights are right. */
static void each_side_has_half_of_the_false_alarms(void **state)
{
    (void)state;
    enum { STREAMS = 350 };
    struct role_expectation expect = ninety_ten();
    double few = 0;
    double many = 0;
    for (uint64_t count = 0; count <= STREAMS; count++) {
        struct split split = judged(&expect, (uint64_t[]){count, STREAMS - count});
        double chance = binomial_at_most(STREAMS, count, 0.9) -
                        (count > 0 ? binomial_at_most(STREAMS, count - 1, 0.9) : 0);
        if (split.result == SPLIT_WRONG && count < STREAMS * 9 / 10) {
            few += chance;
        } else if (split.result == SPLIT_WRONG) {
            many += chance;
        }
    }
    assert_true(few > 0 && few < SPLIT_ALARM / 2);
    assert_true(many > 0 && many < SPLIT_ALARM / 2);
}

static void too_few_streams_are_no_verdict_unless_they_are_wrong(void **state)
{
    (void)state;
    struct role_expectation expect = ninety_ten();
    struct split split = judged(&expect, (uint64_t[]){27, 3});
    assert_int_equal(split.result, SPLIT_TOO_FEW);
    assert_in_range(split.needed, 250, 400);
    assert_int_equal(judged(&expect, (uint64_t[]){0, 0}).result, SPLIT_TOO_FEW);
    assert_int_equal(judged(&expect, (uint64_t[]){3, 27}).result, SPLIT_WRONG);
}

static void a_rare_backend_that_gets_nothing_must_show(void **state)
{
    (void)state;
    static const struct weight weights[] = {{"server-v1", 99, "v1"}, {"server-v2", 1, "v2"}};
    struct role_expectation expect = routes_with(weights, 2);
    assert_int_equal(judged(&expect, (uint64_t[]){400, 0}).result, SPLIT_TOO_FEW);
    assert_int_equal(judged(&expect, (uint64_t[]){4000, 0}).result, SPLIT_WRONG);
    assert_int_equal(judged(&expect, (uint64_t[]){4950, 50}).result, SPLIT_RIGHT);
    static const struct weight rarer[] = {{"server-v1", 999999, "v1"}, {"server-v2", 1, "v2"}};
    expect = routes_with(rarer, 2);
    struct split split = judged(&expect, (uint64_t[]){4000, 0});
    assert_int_equal(split.result, SPLIT_TOO_FEW);
    assert_int_equal(split.needed, SPLIT_STREAMS_MAX);
}

static void backends_of_one_version_are_one_part(void **state)
{
    (void)state;
    static const struct weight weights[] = {
        {"blue", 60, "v1"}, {"server-v2", 10, "v2"}, {"green", 30, "v1"}};
    struct role_expectation expect = routes_with(weights, 3);
    struct split split = split_of(&expect);
    assert_int_equal(split.part_count, 2);
    assert_string_equal(split.parts[1].names, "blue + green");
    assert_true(split.parts[1].merged && split.parts[1].expected == 0.9);
    assert_int_equal(split_judgements(&split), 1);
    /* a backend of either version ties all of them together */
    expect.shares[1].versions = 3;
    split_init(&split, &expect);
    assert_int_equal(split.part_count, 1);
    assert_int_equal(split_judgements(&split), 0);
}

static void one_backend_has_nothing_to_split(void **state)
{
    (void)state;
    static const struct weight weights[] = {{"server-v1", 1, "v1"}};
    struct role_expectation expect = routes_with(weights, 1);
    struct split split = judged(&expect, (uint64_t[]){6});
    assert_int_equal(split.result, SPLIT_RIGHT);
    assert_int_equal(split_streams_needed(&split, 0, TEN_POINTS), 0);
    assert_true(split.parts[0].found_below > 0 && split.parts[0].found_below < 0.6);
    assert_true(split.parts[0].found_above > 1);
    split.streams++; /* somewhere else */
    split_judge(&split, 0, TEN_POINTS);
    assert_int_equal(split.result, SPLIT_WRONG);
}

/* ---- a run ----------------------------------------------------------------------------------- */

/* `first` of 40 streams on their own go to v1, the rest to v2; those that share connections all go
 * to v1. */
static void judge_scene(struct scene *scene, const struct role_expectation *expect, size_t first)
{
    memset(scene, 0, sizeof(*scene));
    scene->plan.messages = SCENE_MESSAGES;
    scene->plan.split = true;
    scene->plan.split_resolution = 0.5;
    check_plan_add_group(&scene->plan, CHECK_GROUP_VERSION, CHECK_HEADER_ONCE, "v1.1")->expect =
        *expect;
    check_plan_add_version_streams(&scene->plan, 20, "test");
    check_plan_add_own_streams(&scene->plan, 0, 40, "test");
    scene_begin(scene);
    size_t own = 0;
    for (size_t i = 0; i < scene->plan.stream_count; i++) {
        bool other = scene->plan.streams[i].own_connection && own++ >= first;
        scene_send(scene, i, SCENE_MESSAGES);
        for (uint64_t sequence = 1; sequence <= SCENE_MESSAGES; sequence++) {
            scene_answer(scene, i,
                         &(struct answer){.sequence = sequence, .version = other ? "v2" : "v1"});
        }
        scene->run.streams[i].end = CHECK_END_DONE;
    }
    scene_judge(scene);
}

static void streams_of_their_own_connections_are_counted(void **state)
{
    (void)state;
    static const struct weight weights[] = {{"server-v1", 1, "v1"}, {"server-v2", 1, "v2"}};
    struct role_expectation expect = routes_with(weights, 2);
    struct scene scene;
    judge_scene(&scene, &expect, 20);
    assert_int_equal(scene.report.exit_code, EXIT_GOOD);
    assert_int_equal(scene.report.splits[0].streams, 40);
    assert_int_equal(scene.report.splits[0].parts[0].streams, 20);
    assert_int_equal(scene.report.splits[0].live, 40);
    scene_end(&scene);
    judge_scene(&scene, &expect, 38);
    assert_int_equal(scene.report.exit_code, EXIT_CHECK_FAILED);
    assert_contains(scene_finding(&scene, 0, CHECK_SPLIT)->text,
                    "server-v1 38 of 40 (95 %, expected 50 %");
    scene_end(&scene);
}

static void without_weights_the_split_is_not_checked(void **state)
{
    (void)state;
    struct role_expectation expect = {.rule = ROLE_EXPECT_ANY};
    struct scene scene;
    judge_scene(&scene, &expect, 20);
    assert_int_equal(scene.report.exit_code, EXIT_NO_EVIDENCE);
    assert_contains(scene_finding(&scene, 0, CHECK_SPLIT)->text, "not checked");
    scene_end(&scene);
}

static void the_time_limit_is_what_the_messages_need_and_more(void **state)
{
    (void)state;
    const struct check_plan plan = {.messages = 101, .interval_ms = 100, .connection_count = 3};
    assert_int_equal(check_plan_timeout_ns(&plan, 0), UINT64_C(20300000000));
    assert_int_equal(check_plan_timeout_ns(&plan, 5), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_weights_are_called_wrong_in_one_run_of_a_hundred_at_most),
        cmocka_unit_test(four_versions_together_give_no_more_false_alarms),
        cmocka_unit_test(eighty_twenty_is_found_in_99_of_100_runs),
        cmocka_unit_test(what_would_have_shown_is_told),
        cmocka_unit_test(each_side_has_half_of_the_false_alarms),
        cmocka_unit_test(too_few_streams_are_no_verdict_unless_they_are_wrong),
        cmocka_unit_test(a_rare_backend_that_gets_nothing_must_show),
        cmocka_unit_test(backends_of_one_version_are_one_part),
        cmocka_unit_test(one_backend_has_nothing_to_split),
        cmocka_unit_test(streams_of_their_own_connections_are_counted),
        cmocka_unit_test(without_weights_the_split_is_not_checked),
        cmocka_unit_test(the_time_limit_is_what_the_messages_need_and_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
