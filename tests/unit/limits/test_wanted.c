/* What a run measures, what it leaves out, and how long it says that it takes. */
#include "limits/expect.h"
#include "limits/wanted.h"

#include "scene.h"

static struct limits_result *want_only(enum limits_shape a, enum limits_shape b)
{
    struct limits_result *result = scene_new();
    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        result->findings[i].wanted = result->findings[i].named = i == a || i == b;
    }
    return result;
}

static void the_quiet_path_is_measured_where_it_is_named(void **state)
{
    (void)state;
    char why[LIMITS_TEXT_BYTES] = "";
    struct limits_result *result = scene_new();
    assert_true(limits_is_spared(result, LIMITS_IDLE_PATH, why));
    assert_string_equal("--shapes idle_path (1m30s more, alone)", why);
    assert_false(limits_is_measured(result, LIMITS_IDLE_PATH));
    assert_true(limits_looks_ns(result) == SCENE_WITHIN_NS);
    uint64_t without_ns = limits_expect_ns(result, 0);
    result->findings[LIMITS_IDLE_PATH].named = true;
    result->gentle = true;
    assert_true(limits_is_measured(result, LIMITS_IDLE_PATH));
    assert_true(limits_looks_ns(result) == 2 * SCENE_WITHIN_NS);
    result->gentle = false;
    assert_true(limits_expect_ns(result, 0) == without_ns + SCENE_WITHIN_NS);
    free(result);
    result = want_only(LIMITS_IDLE_PATH, LIMITS_IDLE_PATH);
    assert_true(limits_expect_ns(result, NS_PER_S) == SCENE_WITHIN_NS);
    result->findings[LIMITS_IDLE_PATH].wanted = false;
    assert_false(limits_is_measured(result, LIMITS_IDLE_PATH));
    free(result);
}

static void a_gentle_run_leaves_out_what_is_harsh(void **state)
{
    (void)state;
    char why[LIMITS_TEXT_BYTES] = "";
    struct limits_result *result = scene_new();
    assert_true(limits_is_measured(result, LIMITS_SLOW_READER));
    result->gentle = true;
    assert_true(limits_is_spared(result, LIMITS_SLOW_READER, why));
    assert_string_equal("left out by --gentle, as others on the path might feel it", why);
    assert_false(limits_is_spared(result, LIMITS_IDLE, why));
    free(result);
}

static void silent_streams_have_company(void **state)
{
    (void)state;
    static const struct {
        enum limits_shape a, b, company;
    } cases[] = {
        {LIMITS_IDLE, LIMITS_IDLE, LIMITS_AGE_STREAM},
        {LIMITS_IDLE_WITH_PINGS, LIMITS_STATUS, LIMITS_AGE_STREAM},
        {LIMITS_IDLE, LIMITS_AGE_STREAM, LIMITS_SHAPES}, /* told of by itself */
        {LIMITS_IDLE_PATH, LIMITS_IDLE_PATH, LIMITS_SHAPES},
        {LIMITS_HALF_CLOSE, LIMITS_STATUS, LIMITS_SHAPES},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct limits_result *result = want_only(cases[i].a, cases[i].b);
        assert_int_equal(cases[i].company, limits_company(result));
        assert_true(limits_company(result) == LIMITS_SHAPES ||
                    !limits_is_measured(result, limits_company(result)));
        free(result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_quiet_path_is_measured_where_it_is_named),
        cmocka_unit_test(a_gentle_run_leaves_out_what_is_harsh),
        cmocka_unit_test(silent_streams_have_company),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
