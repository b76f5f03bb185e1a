#include "role/expect.h"

#include "base/mem.h"
#include "role/routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *text_of(const struct role_expectation *expect)
{
    static char text[256];
    return role_expectation_text(expect, text, sizeof(text));
}

static void a_version_belongs_to_its_major(void **state)
{
    (void)state;
    struct role_expectation expect = role_expect_of_version("v12.3");
    assert_int_equal(expect.rule, ROLE_EXPECT_SERVER);
    assert_string_equal(text_of(&expect), "v12");
    assert_true(role_expectation_allows(&expect, "v12"));
    static const char *const others[] = {"v1", "v123", "v12.3", "V12", "", "12"};
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        assert_false(role_expectation_allows(&expect, others[i]));
    }
}

static void what_is_no_version_expects_nothing(void **state)
{
    (void)state;
    struct role_expectation expect = role_expect_of_version("canary");
    assert_int_equal(expect.rule, ROLE_EXPECT_ANY);
    assert_string_equal(text_of(&expect), "");
    assert_false(role_expectation_allows(&expect, "v1"));
}

static void routes_say_who_answers(void **state)
{
    (void)state;
    static const struct {
        const char *values[2];
        size_t count;
        enum role_expect_rule rule;
        const char *text;
    } rows[] = {
        {{"v2.7"}, 1, ROLE_EXPECT_SERVER, "v2"}, {{"v1.0"}, 1, ROLE_EXPECT_SERVER, "v1"},
        {{"v3.1"}, 1, ROLE_EXPECT_SERVER, "v1"}, /* the default rule */
        {{NULL}, 0, ROLE_EXPECT_SERVER, "v1"},   {{"v1.1", "v2.1"}, 2, ROLE_EXPECT_REPORT, ""},
    };
    struct route_table *routes = role_routes_load("verify", NULL);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct role_expectation expect =
            role_expect_of_routes(routes, rows[i].values, rows[i].count);
        assert_int_equal(expect.rule, rows[i].rule);
        assert_string_equal(text_of(&expect), rows[i].text);
    }
    route_table_free(routes);
}

static void several_are_joined(void **state)
{
    (void)state;
    const struct role_expectation expect = {
        .rule = ROLE_EXPECT_SERVER, .versions = {"v1", "v2"}, .version_count = 2};
    assert_string_equal(text_of(&expect), "v1 or v2");
    char small[5];
    assert_string_equal(role_expectation_text(&expect, small, sizeof(small)), "v1 o");
    assert_true(role_expectation_allows(&expect, "v2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_version_belongs_to_its_major),
        cmocka_unit_test(what_is_no_version_expects_nothing),
        cmocka_unit_test(routes_say_who_answers),
        cmocka_unit_test(several_are_joined),
    };
    return cmocka_run_group_tests_name("role/expect", tests, NULL, NULL);
}
