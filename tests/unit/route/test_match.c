/* Which rule takes a request: the Gateway API's conformance table, the edges of the default routes, precedence, weights. */
#include "base/mem.h"
#include "route/expect.h"
#include "route/match.h"
#include "route/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct route_table *parse(const char *rules)
{
    char text[4000];
    snprintf(text, sizeof(text),
             "apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nspec:\n  rules:\n%s", rules);
    struct route_table *table;
    struct route_error error;
    if (route_table_parse(text, strlen(text), "test", &table, &error) != 0) {
        fail_msg("%s", error.text);
    }
    return table;
}

/* The backend a request reaches, or "none" or "repeated". `headers` is "name=value name=value". */
static const char *backend_of(const struct route_table *table, const char *path, const char *headers)
{
    struct h2_header fields[20] = {H2_HEADER(":path", path), H2_HEADER(":authority", "host:1")};
    size_t count = 2;
    char copy[500];
    snprintf(copy, sizeof(copy), "%s", headers);
    char *rest = copy;
    for (char *pair = strsep(&rest, " "); pair != NULL; pair = strsep(&rest, " ")) {
        char *equals = strchr(pair, '=');
        if (equals != NULL) {
            *equals = '\0';
            fields[count++] = H2_HEADER(pair, equals + 1);
        }
    }
    const struct h2_block block = {fields, count};
    const struct route_rule *rule;
    const char *header;
    switch (route_table_match(table, &block, &rule, &header)) {
    case 0:
        return route_rule_pick(rule, 0)->name;
    case ROUTE_E_REPEATED_HEADER:
        return "repeated";
    default:
        return "none";
    }
}

/* conformance/tests/grpcroute-header-matching of the Gateway API. */
static void conformance_table_of_header_matching_holds(void **state)
{
    (void)state;
    struct route_table *table = parse(
        "  - matches:\n    - headers: [{name: version, value: one}]\n"
        "    backendRefs: [{name: v1, port: 1}]\n"
        "  - matches:\n    - headers: [{name: version, value: two}]\n"
        "    backendRefs: [{name: v2, port: 1}]\n"
        "  - matches:\n    - headers: [{name: version, value: two}, {name: color, value: orange}]\n"
        "    backendRefs: [{name: v1, port: 1}]\n"
        "  - matches:\n    - headers: [{name: color, value: blue}]\n"
        "    - headers: [{name: color, value: green}]\n"
        "    backendRefs: [{name: v1, port: 1}]\n"
        "  - matches:\n    - headers: [{name: color, value: red}]\n"
        "    - headers: [{name: color, value: yellow}]\n"
        "    backendRefs: [{name: v2, port: 1}]\n");
    static const struct {
        const char *headers;
        const char *backend;
    } rows[] = {
        {"version=one", "v1"},   {"version=two", "v2"},    {"version=two color=orange", "v1"},
        {"color=blue", "v1"},    {"color=green", "v1"},    {"color=red", "v2"},
        {"color=yellow", "v2"},  {"version=two color=blue", "v2"}, {"color=orange", "none"},
        {"color=purple", "none"}, {"some=header", "none"}, {"", "none"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_string_equal(backend_of(table, "/a.B/C", rows[i].headers), rows[i].backend);
    }
    route_table_free(table);
}

static void default_routes_hold_at_every_edge(void **state)
{
    (void)state;
    struct route_table *table = route_table_default();
    static const struct {
        const char *headers;
        const char *backend;
    } rows[] = {
        {"agent-version=v1.0", "server-v1"},  {"agent-version=v1.9", "server-v1"},
        {"agent-version=v2.0", "server-v2"},  {"agent-version=v2.", "server-v2"},
        {"agent-version=v10.0", "server-v1"}, {"agent-version=v20.1", "server-v1"},
        {"agent-version=v2", "server-v1"},    {"agent-version=xv2.1", "server-v1"},
        {"agent-version=V2.1", "server-v1"},  {"agent-version=v1.0-rc1", "server-v1"},
        {"agent-version=", "server-v1"},      {"", "server-v1"},
        {"agent-version=v1.1 agent-version=v2.1", "repeated"},
        {"agent-id=v2.1", "server-v1"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_string_equal(backend_of(table, "/ping.PingService/PingPong", rows[i].headers),
                            rows[i].backend);
    }
    route_table_free(table);
}

static void longest_service_wins_then_method_then_headers_then_order(void **state)
{
    (void)state;
    struct route_table *table = parse(
        "  - backendRefs: [{name: default, port: 1}]\n"
        "  - matches: [{headers: [{name: a, value: x}, {name: b, value: y}]}]\n"
        "    backendRefs: [{name: headers, port: 1}]\n"
        "  - matches: [{method: {service: p.S}}]\n    backendRefs: [{name: service, port: 1}]\n"
        "  - matches: [{method: {method: M}}]\n    backendRefs: [{name: method, port: 1}]\n"
        "  - matches: [{method: {service: p.S, method: M}}]\n"
        "    backendRefs: [{name: both, port: 1}]\n"
        "  - matches: [{method: {service: p.S, method: M}}]\n"
        "    backendRefs: [{name: later, port: 1}]\n");
    assert_string_equal(backend_of(table, "/q.T/N", ""), "default");
    assert_string_equal(backend_of(table, "/q.T/N", "a=x b=y"), "headers");
    assert_string_equal(backend_of(table, "/p.S/N", "a=x b=y"), "service");
    assert_string_equal(backend_of(table, "/q.T/M", "a=x b=y"), "method");
    assert_string_equal(backend_of(table, "/p.S/M", "a=x b=y"), "both");
    assert_string_equal(backend_of(table, "/p.s/M", ""), "method");
    route_table_free(table);
}

static void a_regular_expression_matches_the_whole_value_only(void **state)
{
    (void)state;
    struct route_table *table = parse(
        "  - matches: [{headers: [{name: V, type: RegularExpression, value: 'v1|v2'}]}]\n"
        "    backendRefs: [{name: hit, port: 1}]\n");
    assert_string_equal(backend_of(table, "/a/b", "v=v1"), "hit");
    assert_string_equal(backend_of(table, "/a/b", "v=v2"), "hit");
    assert_string_equal(backend_of(table, "/a/b", "v=v1x"), "none");
    assert_string_equal(backend_of(table, "/a/b", "v=xv2"), "none");
    route_table_free(table);
}

static void hostile_patterns_are_given_up_in_bounded_time(void **state)
{
    (void)state;
    struct route_table *table = parse(
        "  - matches: [{headers: [{name: v, type: RegularExpression, value: '(a+)+b'}]}]\n"
        "    backendRefs: [{name: hit, port: 1}]\n");
    assert_string_equal(backend_of(table, "/a/b", "v=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac"),
                        "none");
    route_table_free(table);
}

static void weights_are_exact_over_their_sum(void **state)
{
    (void)state;
    struct route_table *table = parse(
        "  - backendRefs:\n    - {name: a, port: 1, weight: 70}\n"
        "    - {name: b, port: 1, weight: 30}\n    - {name: c, port: 1, weight: 0}\n");
    unsigned counts[256] = {0};
    for (uint64_t ticket = 1000; ticket < 1100; ticket++) {
        counts[(unsigned char)route_rule_pick(&table->rules[0], ticket)->name[0]]++;
    }
    assert_int_equal(counts['a'], 70);
    assert_int_equal(counts['b'], 30);
    assert_int_equal(counts['c'], 0);
    route_table_free(table);
}

static void a_rule_without_weight_has_no_backend(void **state)
{
    (void)state;
    struct route_table *table = parse("  - backendRefs: [{name: a, port: 1, weight: 0}]\n");
    assert_null(route_rule_pick(&table->rules[0], 5));
    route_table_free(table);
}

static void backend_names_tell_their_version(void **state)
{
    (void)state;
    char version[ROUTE_VERSION_BYTES];
    assert_true(route_backend_version("server-v1", version));
    assert_string_equal(version, "v1");
    assert_true(route_backend_version("my-vault-v12", version));
    assert_string_equal(version, "v12");
    assert_false(route_backend_version("server", version));
    assert_false(route_backend_version("server-v1b", version));
    assert_false(route_backend_version("server-v", version));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conformance_table_of_header_matching_holds),
        cmocka_unit_test(default_routes_hold_at_every_edge),
        cmocka_unit_test(longest_service_wins_then_method_then_headers_then_order),
        cmocka_unit_test(a_regular_expression_matches_the_whole_value_only),
        cmocka_unit_test(hostile_patterns_are_given_up_in_bounded_time),
        cmocka_unit_test(weights_are_exact_over_their_sum),
        cmocka_unit_test(a_rule_without_weight_has_no_backend),
        cmocka_unit_test(backend_names_tell_their_version),
    };
    return cmocka_run_group_tests_name("route/match", tests, NULL, NULL);
}
