/* What checks may expect of agents by the routes. */
#include "route/load.h"
#include "support.h"

#include "base/mem.h"
#include "route/expect.h"

#define PATH "/ping.PingService/PingPong"

/* The versions that may answer, joined with spaces; or "any", or the outcome. */
static const char *expected(const struct route_table *table, const char *const *values,
                            size_t count, char out[static 64])
{
    struct route_expectation expectation =
        route_expect(table, PATH, NULL, "agent-version", values, count);
    if (expectation.outcome != 0) {
        snprintf(out, 64, "outcome %d", expectation.outcome);
        return out;
    }
    char versions[ROUTE_BACKENDS_MAX][ROUTE_VERSION_BYTES];
    size_t version_count = route_rule_versions(expectation.rule, versions);
    snprintf(out, 64, "%s", version_count == 0 ? "any" : "");
    for (size_t i = 0; i < version_count; i++) {
        snprintf(out + strlen(out), 64 - strlen(out), "%s%s", i > 0 ? " " : "", versions[i]);
    }
    return out;
}

static void default_routes_promise_versions(void **state)
{
    (void)state;
    struct route_table *table = route_table_default();
    char out[64];
    assert_string_equal(expected(table, FIELDS("v1.1"), 1, out), "v1");
    assert_string_equal(expected(table, FIELDS("v2.1"), 1, out), "v2");
    assert_string_equal(expected(table, FIELDS("v3.1"), 1, out), "v1");
    assert_string_equal(expected(table, NULL, 0, out), "v1");
    assert_string_equal(expected(table, FIELDS("v1.1", "v2.1"), 2, out), "outcome 2");
    route_table_free(table);
}

static void weights_widen_and_narrow_what_may_answer(void **state)
{
    (void)state;
    struct route_table *table =
        parse(RULES "  - matches: [{headers: [{name: agent-version, value: v3.0}]}]\n"
                    "    backendRefs:\n"
                    "    - {name: server-v1, port: 1, weight: 0}\n"
                    "    - {name: server-v2, port: 1}\n"
                    "    - {name: canary-v3, port: 1}\n"
                    "    - {name: server-v2, port: 2}\n"
                    "  - matches: [{headers: [{name: agent-version, value: v4.0}]}]\n"
                    "    backendRefs: [{name: server-v1, port: 1}, {name: canary, port: 1}]\n"
                    "  - matches: [{headers: [{name: agent-version, value: v5.0}]}]\n"
                    "    backendRefs: [{name: server-v1, port: 1, weight: 0}]\n"
                    "  - matches: [{headers: [{name: agent-version, value: v6.0}]}]\n");
    char out[64];
    assert_string_equal(expected(table, FIELDS("v3.0"), 1, out), "v2 v3");
    assert_string_equal(expected(table, FIELDS("v4.0"), 1, out), "any");
    assert_string_equal(expected(table, FIELDS("v5.0"), 1, out), "outcome 4");
    assert_string_equal(expected(table, FIELDS("v6.0"), 1, out), "outcome 4");
    assert_string_equal(expected(table, FIELDS("v7.0"), 1, out), "outcome 1");
    route_table_free(table);
}

static void the_stream_asks_for_a_host_of_the_route(void **state)
{
    (void)state;
    static const char *const hosts[] = {"one.example.com", "'*.example.com'"};
    for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
        char yaml[500];
        snprintf(yaml, sizeof(yaml),
                 HEAD "spec:\n  hostnames: [%s]\n"
                      "  rules: [{backendRefs: [{name: server-v9, port: 1}]}]\n",
                 hosts[i]);
        struct route_table *table = parse(yaml);
        char out[64];
        assert_string_equal(expected(table, NULL, 0, out), "v9");
        route_table_free(table);
    }
}

/* Where nobody says which host a stream asks for. */
static void hosts_that_differ_promise_nothing(void **state)
{
    (void)state;
    static const char one[] = "{name: server-v1, port: 1}";
    static const char both[] = "{name: server-v1, port: 1}, {name: server-v2, port: 1}";
    static const char turned[] = "{name: server-v2, port: 1}, {name: server-v1, port: 1}";
    static const char weightless[] =
        "{name: server-v1, port: 1}, {name: server-v2, port: 1, weight: 0}";
    static const struct {
        const char *a;
        const char *b;
        const char *expected;
    } rows[] = {
        {one, one, "v1"},        {both, both, "v1 v2"},  {both, turned, "v1 v2"},
        {one, weightless, "v1"}, {one, both, "unknown"}, {both, one, "unknown"},
        {one, "", "unknown"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char yaml[1000];
        char out[64];
        snprintf(yaml, sizeof(yaml),
                 HEAD
                 "metadata: {name: a}\nspec: {hostnames: [a.org], rules: [{backendRefs: [%s]}]}"
                 "\n---\n" HEAD
                 "metadata: {name: b}\nspec: {hostnames: [b.org], rules: [{backendRefs: [%s]}]}"
                 "\n",
                 rows[i].a, rows[i].b);
        struct route_table *table = parse(yaml);
        bool unknown = route_expect(table, PATH, NULL, "agent-version", NULL, 0).outcome ==
                       ROUTE_E_HOST_UNKNOWN;
        const char *got = unknown ? "unknown" : expected(table, NULL, 0, out);
        if (strcmp(got, rows[i].expected) != 0) {
            fail_msg("row %zu: %s instead of %s", i, got, rows[i].expected);
        }
        route_table_free(table);
    }
}

static void versions_are_read_from_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *version; /* NULL: none */
    } rows[] = {
        {"server-v1", "v1"},
        {"server-v10", "v10"},
        {"a-vb-v2", "v2"},
        {"server-v1-v2", "v2"},
        {"server", NULL},
        {"server-v", NULL},
        {"server-va", NULL},
        {"server-v1-2", NULL},
        {"server-v1a", NULL},
        {"v1", NULL},
        {"server-v01", NULL},
        {"serverv1", NULL},
        {"server-v99999999999999999999", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char versions[ROUTE_BACKENDS_MAX][ROUTE_VERSION_BYTES];
        const struct route_rule rule = {
            .backends = {{.name = (char *)(uintptr_t)rows[i].name, .weight = 1}},
            .backend_count = 1,
        };
        assert_int_equal(route_rule_versions(&rule, versions), rows[i].version != NULL);
        if (rows[i].version != NULL) {
            assert_string_equal(versions[0], rows[i].version);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_routes_promise_versions),
        cmocka_unit_test(weights_widen_and_narrow_what_may_answer),
        cmocka_unit_test(the_stream_asks_for_a_host_of_the_route),
        cmocka_unit_test(hosts_that_differ_promise_nothing),
        cmocka_unit_test(versions_are_read_from_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
