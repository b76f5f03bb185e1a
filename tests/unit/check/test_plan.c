/* Plans: who shares a connection with whom, and bounded names. */
#include "scene.h"

#include "base/mem.h"
#include "check/pods.h"

static void versions_alternate_on_shared_connections(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 4);
    size_t versions_on_first[2] = {0};
    for (size_t i = 0; i < scene.plan.stream_count; i++) {
        if (scene.plan.streams[i].connection == 0) {
            versions_on_first[scene.plan.streams[i].group]++;
        }
    }
    assert_true(versions_on_first[0] > 0);
    assert_int_equal(versions_on_first[0], versions_on_first[1]);
    scene_end(&scene);
}

static size_t streams_on(const struct check_plan *plan, size_t connection)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->stream_count; i++) {
        count += plan->streams[i].connection == connection;
    }
    return count;
}

static void a_quarter_of_the_streams_has_its_own_connection(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 16);
    size_t alone = 0;
    for (size_t i = 0; i < scene.plan.connection_count; i++) {
        alone += streams_on(&scene.plan, i) == 1;
        assert_true(streams_on(&scene.plan, i) > 0);
    }
    assert_int_equal(alone, 8);
    assert_int_equal(scene.plan.connection_count, 10);
    scene_end(&scene);
}

static void one_stream_per_version_shares_one_connection(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 1);
    assert_int_equal(scene.plan.connection_count, 1);
    assert_int_equal(streams_on(&scene.plan, 0), 2);
    scene_end(&scene);
}

static void two_streams_per_version_are_shared_and_separate(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 2);
    assert_int_equal(streams_on(&scene.plan, 0), 2);
    assert_int_equal(scene.plan.connection_count, 3);
    scene_end(&scene);
}

static uint64_t order_of(const struct check_plan *plan)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < plan->stream_count; i++) {
        sum = sum * 31 + plan->streams[i].group * 7 + plan->streams[i].connection;
    }
    return sum;
}

static void a_seed_decides_an_order_that_is_not_regular(void **state)
{
    (void)state;
    uint64_t orders[3];
    for (uint64_t i = 0; i < 3; i++) {
        struct scene scene;
        scene_versions(&scene, 16);
        uint64_t regular = order_of(&scene.plan);
        check_plan_shuffle(&scene.plan, i < 2 ? 5 : 6);
        orders[i] = order_of(&scene.plan);
        assert_true(orders[i] != regular);
        assert_int_equal(scene.plan.connection_count, 10);
        size_t alone = 0;
        size_t of_first = 0;
        for (size_t c = 0; c < scene.plan.connection_count; c++) {
            alone += streams_on(&scene.plan, c) == 1;
        }
        for (size_t s = 0; s < scene.plan.stream_count; s++) {
            of_first += scene.plan.streams[s].group == 0;
        }
        assert_int_equal(alone, 8);
        assert_int_equal(of_first, 16);
        scene_end(&scene);
    }
    assert_true(orders[0] == orders[1] && orders[0] != orders[2]);
}

static void the_probability_of_meeting_all_pods_is_exact(void **state)
{
    (void)state;
    static const struct {
        size_t streams;
        size_t pods;
        double probability;
    } rows[] = {
        {0, 1, 0},       {1, 1, 1},        {1, 2, 0},         {2, 2, 0.5},
        {6, 2, 0.96875}, {3, 3, 6.0 / 27}, {4, 3, 36.0 / 81}, {5, CHECK_ANSWERS_MAX + 1, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        double error = check_coverage(rows[i].streams, rows[i].pods) - rows[i].probability;
        assert_true(error < 1e-9 && error > -1e-9);
    }
}

static void every_stream_has_an_id_of_its_own(void **state)
{
    (void)state;
    struct scene scene;
    scene_versions(&scene, 8);
    for (size_t i = 0; i < scene.plan.stream_count; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(scene.plan.streams[i].agent_id, scene.plan.streams[j].agent_id);
        }
    }
    scene_end(&scene);
}

static void a_single_agent_keeps_the_id_it_was_given(void **state)
{
    (void)state;
    struct scene scene;
    scene_sticky(&scene, 1);
    assert_string_equal(scene.plan.streams[0].agent_id, "agent-v1-1");
    scene_end(&scene);
    scene_sticky(&scene, 2);
    assert_string_equal(scene.plan.streams[1].agent_id, "agent-v1-1-2");
    scene_end(&scene);
}

static void names_are_numbered_once_and_escaped(void **state)
{
    (void)state;
    struct check_names names;
    check_names_init(&names, 8);
    uint32_t pod = check_names_add(&names, "pod\x1b[31m");
    assert_int_equal(check_names_add(&names, "pod\x1b[31m"), pod);
    assert_int_not_equal(check_names_add(&names, "pod"), pod);
    assert_string_equal(check_names_text(&names, pod), "pod\\x1b[31m");
    assert_int_equal(check_names_add(&names, ""), CHECK_NAME_EMPTY);
    assert_int_equal(check_names_add(&names, NULL), CHECK_NAME_EMPTY);
    check_names_deinit(&names);
}

static void too_many_names_share_one_number(void **state)
{
    (void)state;
    struct check_names names;
    check_names_init(&names, 3);
    char text[] = "a";
    for (; text[0] < 'd'; text[0]++) {
        assert_true(check_names_add(&names, text) > CHECK_NAME_OTHER);
    }
    assert_int_equal(check_names_add(&names, "d"), CHECK_NAME_OTHER);
    assert_true(check_names_add(&names, "b") > CHECK_NAME_OTHER);
    check_names_deinit(&names);
}

static void a_flooding_peer_is_cut_off(void **state)
{
    (void)state;
    struct scene scene;
    scene_sticky(&scene, 1);
    scene_send(&scene, 0, SCENE_MESSAGES);
    struct rpc_ping_response response = {.server_version = "v1", .server_id = "a"};
    for (size_t i = 0; i < SCENE_MESSAGES + CHECK_EXTRA_PONGS; i++) {
        assert_true(check_run_received(&scene.run, 0, &response));
    }
    assert_false(check_run_received(&scene.run, 0, &response));
    assert_true(scene.run.streams[0].flooded);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_alternate_on_shared_connections),
        cmocka_unit_test(a_quarter_of_the_streams_has_its_own_connection),
        cmocka_unit_test(one_stream_per_version_shares_one_connection),
        cmocka_unit_test(two_streams_per_version_are_shared_and_separate),
        cmocka_unit_test(a_seed_decides_an_order_that_is_not_regular),
        cmocka_unit_test(the_probability_of_meeting_all_pods_is_exact),
        cmocka_unit_test(every_stream_has_an_id_of_its_own),
        cmocka_unit_test(a_single_agent_keeps_the_id_it_was_given),
        cmocka_unit_test(names_are_numbered_once_and_escaped),
        cmocka_unit_test(too_many_names_share_one_number),
        cmocka_unit_test(a_flooding_peer_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
