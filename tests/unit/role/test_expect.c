#include "role/expect.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "capture.h"

static struct capture capture;

static const char *text_of(const struct role_expectation *expect)
{
    static char text[256];
    return role_expectation_text(expect, text, sizeof(text));
}

static struct role_expectation of_version(const char *version)
{
    const struct role_expect_options none = {0};
    struct role_expects expects;
    assert_int_equal(role_expects_init(&expects, "verify", &none, NULL), 0);
    struct role_expectation expect = role_expects_of(&expects, version);
    role_expects_deinit(&expects);
    return expect;
}

static void a_version_belongs_to_its_major(void **state)
{
    (void)state;
    struct role_expectation expect = of_version("v12.3");
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
    static const char *const others[] = {"canary", "v1", "v1.2.3", "", "1.2"};
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        struct role_expectation expect = of_version(others[i]);
        assert_int_equal(expect.rule, ROLE_EXPECT_UNKNOWN);
        assert_string_equal(text_of(&expect), "");
        assert_non_null(strstr(expect.reason, "--expect"));
        assert_false(role_expectation_allows(&expect, "v1"));
        assert_false(role_expectation_forbids(&expect, "v1"));
    }
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
    const struct role_expect_options none = {0};
    struct role_expects expects;
    assert_int_equal(role_expects_init(&expects, "verify", &none, NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct role_expectation expect =
            role_expects_at_edge(&expects, rows[i].values, rows[i].count);
        assert_int_equal(expect.rule, rows[i].rule);
        assert_string_equal(text_of(&expect), rows[i].text);
    }
    role_expects_deinit(&expects);
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

/* ---- what the user says, and routes of his own ----------------------------------------------- */

static const char own_routes[] =
    "apiVersion: gateway.networking.k8s.io/v1\n"
    "kind: GRPCRoute\n"
    "metadata: {name: own}\n"
    "spec:\n"
    "  hostnames: ['*.example.com']\n"
    "  rules:\n"
    "  - matches: [{headers: [{name: x-client, value: one}]}]\n"
    "    backendRefs: [{name: blue, port: 1}, {name: server-v2, port: 1}]\n"
    "  - matches: [{headers: [{name: x-client, value: two}]}]\n"
    "    backendRefs: [{name: server-v2-canary, port: 1}]\n"
    "  - matches: [{headers: [{name: x-client, value: part}]}]\n"
    "    backendRefs: [{name: server-v4, port: 1}, {name: server-v5, port: 1, weight: 0}]\n"
    "  - matches: [{headers: [{name: x-client, value: 'off'}]}]\n"
    "    backendRefs: [{name: server-v3, port: 1, weight: 0}]\n";

static void write_routes(char path[static 32])
{
    memcpy(path, "/tmp/routes-XXXXXX", sizeof("/tmp/routes-XXXXXX"));
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, own_routes, strlen(own_routes)), strlen(own_routes));
    close(fd);
}

struct row {
    const char *expect;  /* of --expect, or NULL */
    const char *backend; /* of --backend-version, or NULL */
    const char *authority;
    const char *version;
    enum role_expect_rule rule;
    const char *text; /* of the servers, or in the reason */
};

static void check_row(const struct row *row, const char *path)
{
    struct role_expect_options options = {.routes = path};
    const struct role_connect_options connect = {.target = {.host = "localhost", .port = 8443},
                                                 .authority = row->authority,
                                                 .version_header = "X-Client"};
    options.expect = (struct cli_list){{row->expect}, row->expect != NULL};
    options.backend_versions = (struct cli_list){{row->backend}, row->backend != NULL};
    struct role_expects expects;
    assert_int_equal(role_expects_init(&expects, "verify", &options, &connect), 0);
    struct role_expectation expect = role_expects_of(&expects, row->version);
    assert_int_equal(expect.rule, row->rule);
    if (row->rule == ROLE_EXPECT_SERVER) {
        assert_string_equal(text_of(&expect), row->text);
    } else {
        assert_non_null(strstr(expect.reason, row->text));
    }
    role_expects_deinit(&expects);
}

static void the_first_that_says_it_counts(void **state)
{
    (void)state;
    static const char own[] = "a.example.com:1";
    static const struct row rows[] = {
        {"one=x|y", NULL, own, "one", ROLE_EXPECT_SERVER, "x or y"},
        {"a=b=x", NULL, own, "a=b", ROLE_EXPECT_SERVER, "x"},
        {"one=*", NULL, own, "one", ROLE_EXPECT_ANY, ""},
        {NULL, "blue=7", own, "one", ROLE_EXPECT_SERVER, "7 or v2"},
        {NULL, "server-v2-canary=v9|v8", own, "two", ROLE_EXPECT_SERVER, "v9 or v8"},
        {NULL, "server-v2=v5", own, "one", ROLE_EXPECT_UNKNOWN, "--backend-version blue=SERVER"},
        {"two=x", NULL, own, "one", ROLE_EXPECT_UNKNOWN, "backend blue"},
        {NULL, NULL, own, "two", ROLE_EXPECT_UNKNOWN, "server-v2-canary"},
        {NULL, NULL, own, "part", ROLE_EXPECT_SERVER, "v4"}, /* the other has no weight */
        {NULL, NULL, own, "v1.1", ROLE_EXPECT_REJECTED, "no rule"},
        {NULL, NULL, own, "off", ROLE_EXPECT_REJECTED, "weight"},
        {NULL, "blue=7", NULL, "one", ROLE_EXPECT_UNKNOWN, "localhost:8443 as --target says"},
        {NULL, "blue=7", "example.com", "one", ROLE_EXPECT_REJECTED, "--authority example.com"},
    };
    char path[32];
    write_routes(path);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        check_row(&rows[i], path);
    }
    unlink(path);
}

/* The line that is told. */
static void shares_are_those_of_the_backends(void **state)
{
    (void)state;
    char path[32];
    write_routes(path);
    struct role_expect_options options = {.routes = path, .backend_versions = {{"blue=v1|v2"}, 1}};
    const struct role_connect_options connect = {.target = {.host = "a.example.com", .port = 8443},
                                                 .version_header = "x-client"};
    struct role_expects expects;
    assert_int_equal(role_expects_init(&expects, "verify", &options, &connect), 0);
    struct role_expectation one = role_expects_of(&expects, "one");
    assert_int_equal(one.share_count, 2);
    assert_string_equal(one.shares[0].backend, "blue");
    assert_int_equal(one.shares[0].weight, 1);
    assert_int_equal(one.shares[0].versions, 3); /* v1 and v2 */
    assert_int_equal(one.shares[1].versions, 2); /* v2 */
    struct role_expectation part = role_expects_of(&expects, "part");
    assert_int_equal(part.share_count, 1);
    assert_string_equal(part.shares[0].backend, "server-v4");
    struct role_expectation off = role_expects_of(&expects, "off");
    assert_int_equal(off.share_count, 0);
    role_expects_deinit(&expects);
    unlink(path);
}

static const char *refusal(const char *expect, const char *backend, const char *path)
{
    struct role_expect_options options = {.routes = path};
    struct role_expects expects;
    options.expect = (struct cli_list){{expect, "v9.9=a"}, expect != NULL ? 2 : 0};
    options.backend_versions = (struct cli_list){{backend}, backend != NULL};
    capture_begin(&capture, stderr);
    int outcome = role_expects_init(&expects, "verify", &options, NULL);
    const char *told = capture_end(&capture);
    role_expects_deinit(&expects);
    assert_int_equal(outcome, 1);
    return told;
}

static void what_cannot_be_meant_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"v1.1",   "=v1",      "v1.1=", "v1.1=a||b",
                                        "v1 1=a", "v1.1=a b", "v9.9=b"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        assert_non_null(strstr(refusal(wrong[i], NULL, NULL), "--expect: "));
    }
    assert_non_null(strstr(refusal(NULL, "blue=v1", NULL), "needs --routes"));
    char path[32];
    write_routes(path);
    assert_non_null(strstr(refusal(NULL, "green=v1", path), "no rule of the routes"));
    assert_non_null(strstr(refusal(NULL, "blue=*", path), "--expect"));
    unlink(path);
}

static void servers_behind_a_cluster_are_known_by_name_or_because_they_are_said(void **state)
{
    (void)state;
    const struct role_expect_options options = {
        .backend_versions = {{"blue=v1|v2", "server-v3=v4"}, 2}, .any_backend = true};
    static const struct {
        const char *cluster;
        const char *text;
    } rows[] = {
        {"server-v1", "v1"}, {"blue", "v1 or v2"}, {"server-v3", "v4"}, {"green", ""}, {"", ""},
        {"server-v", ""}};
    struct role_expects expects;
    assert_int_equal(role_expects_init(&expects, "verify", &options, NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct role_expectation servers = role_expects_servers(&expects, rows[i].cluster);
        assert_int_equal(servers.rule,
                         rows[i].text[0] != '\0' ? ROLE_EXPECT_SERVER : ROLE_EXPECT_UNKNOWN);
        assert_string_equal(text_of(&servers), rows[i].text);
    }
    role_expects_deinit(&expects);
}

static void what_a_server_may_see_is_what_the_rule_makes_of_it(void **state)
{
    (void)state;
    char name[] = "agent-id";
    char value[] = "b";
    char text[ROLE_REWRITE_BYTES];
    const struct route_change set = {ROUTE_HEADER_SET, name, value};
    const struct route_change add = {ROUTE_HEADER_ADD, name, value};
    const struct route_change gone = {ROUTE_HEADER_REMOVE, name, NULL};
    assert_true(role_rewrite_allows(NULL, "a", "a") && !role_rewrite_allows(NULL, "a", "b"));
    assert_true(role_rewrite_allows(&set, "a", "b"));
    assert_false(role_rewrite_allows(&set, "a", "a") || role_rewrite_allows(&set, "a", ""));
    assert_true(role_rewrite_allows(&gone, "a", "") && !role_rewrite_allows(&gone, "a", "a"));
    static const char *const either[] = {"a", "b", "a,b", "a, b"};
    static const char *const neither[] = {"", "c", "b,a", "a,", "ab", "a,b,c"};
    for (size_t i = 0; i < ARRAY_SIZE(either); i++) {
        assert_true(role_rewrite_allows(&add, "a", either[i]));
    }
    for (size_t i = 0; i < ARRAY_SIZE(neither); i++) {
        assert_false(role_rewrite_allows(&add, "a", neither[i]));
    }
    assert_string_equal(role_rewrite_text(&(struct role_rewrite){0}, text), "");
    assert_string_equal(
        role_rewrite_text(&(struct role_rewrite){.id = &gone, .version = &set}, text),
        "its rule sets agent-id=b and removes agent-id");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_server_may_see_is_what_the_rule_makes_of_it),
        cmocka_unit_test(the_first_that_says_it_counts),
        cmocka_unit_test(shares_are_those_of_the_backends),
        cmocka_unit_test(what_cannot_be_meant_is_refused),
        cmocka_unit_test(servers_behind_a_cluster_are_known_by_name_or_because_they_are_said),
        cmocka_unit_test(a_version_belongs_to_its_major),
        cmocka_unit_test(what_is_no_version_expects_nothing),
        cmocka_unit_test(routes_say_who_answers),
        cmocka_unit_test(several_are_joined),
    };
    return cmocka_run_group_tests_name("role/expect", tests, NULL, NULL);
}
