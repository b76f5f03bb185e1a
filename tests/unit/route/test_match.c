/* Which rule takes a request: the conformance tests of the Gateway API as tables, and the edges
 * around them. */
#include "route/load.h"
#include "support.h"

#include "base/mem.h"

#define HEADER(name, value)    "      - {name: " name ", value: " value "}\n"
#define BACKEND(name)          "    backendRefs: [{name: " name ", port: 8080}]\n"
#define RULE(headers, backend) "  - matches:\n    - headers:\n" headers BACKEND(backend)

struct row {
    const char *const *fields;
    const char *expected;
};

static void check_rows(const char *yaml, const struct row *rows, size_t count)
{
    struct route_table *table = parse(yaml);
    for (size_t i = 0; i < count; i++) {
        const char *got = reached(table, rows[i].fields);
        if (strcmp(got, rows[i].expected) != 0) {
            fail_msg("row %zu: %s instead of %s", i, got, rows[i].expected);
        }
    }
    route_table_free(table);
}

/* GRPCRouteHeaderMatching */
static void headers_match_as_in_conformance(void **state)
{
    (void)state;
    static const char yaml[] =
        RULES RULE(HEADER("version", "one"), "v1") RULE(HEADER("version", "two"), "v2")
            RULE(HEADER("version", "two") HEADER("color", "orange"), "v1")
                RULE(HEADER("color", "blue") "    - headers:\n" HEADER("color", "green"), "v1")
                    RULE(HEADER("color", "red") "    - headers:\n" HEADER("color", "yellow"), "v2");
    const struct row rows[] = {
        {FIELDS(":path", PING, "version", "one"), "v1"},
        {FIELDS(":path", PING, "version", "two"), "v2"},
        {FIELDS(":path", PING, "version", "two", "color", "orange"), "v1"},
        {FIELDS(":path", PING, "version", "two", "color", "blue"), "v2"},
        {FIELDS(":path", PING, "color", "orange"), "no route"},
        {FIELDS(":path", PING, "some-other-header", "one"), "no route"},
        {FIELDS(":path", PING, "color", "blue"), "v1"},
        {FIELDS(":path", PING, "color", "green"), "v1"},
        {FIELDS(":path", PING, "color", "red"), "v2"},
        {FIELDS(":path", PING, "color", "yellow"), "v2"},
        {FIELDS(":path", PING, "color", "purple"), "no route"},
    };
    check_rows(yaml, rows, ARRAY_SIZE(rows));
}

/* GRPCExactMethodMatching */
static void methods_match_exactly_as_in_conformance(void **state)
{
    (void)state;
    static const char yaml[] =
        RULES "  - matches: [{method: {service: grpcecho.GrpcEcho, method: Echo}}]\n" BACKEND(
            "v1") "  - matches: [{method: {service: grpcecho.GrpcEcho, method: "
                  "EchoTwo}}]\n" BACKEND("v2");
    const struct row rows[] = {
        {FIELDS(":path", "/grpcecho.GrpcEcho/Echo"), "v1"},
        {FIELDS(":path", "/grpcecho.GrpcEcho/EchoTwo"), "v2"},
        {FIELDS(":path", "/grpcecho.GrpcEcho/EchoThree"), "no route"},
        {FIELDS(":path", "/grpcecho.GrpcEcho/echo"), "no route"},
        {FIELDS(":path", "/grpcecho.grpcecho/Echo"), "no route"},
        {FIELDS(":path", "/grpcecho.GrpcEcho/Echo/"), "no route"},
        {FIELDS(":path", "/x/grpcecho.GrpcEcho/Echo"), "no route"},
        {FIELDS(":path", "/grpcecho.GrpcEcho"), "no route"},
        {FIELDS(":path", "grpcecho.GrpcEcho/Echo"), "no route"},
        {FIELDS(":path", "/"), "no route"},
        {FIELDS(":path", ""), "no route"},
        {FIELDS("x", "y"), "no route"},
    };
    check_rows(yaml, rows, ARRAY_SIZE(rows));
}

static void service_or_method_alone_is_enough(void **state)
{
    (void)state;
    /* clang-format off */
    static const char yaml[] = RULES
        "  - matches: [{method: {service: a.Service}}]\n" BACKEND("service")
        "  - matches: [{method: {method: Get}}]\n" BACKEND("method")
        "  - matches: [{method: {type: RegularExpression, service: 'b\\..*', method: 'Set|Put'}}]\n" BACKEND("regex");
    /* clang-format on */
    const struct row rows[] = {
        {FIELDS(":path", "/a.Service/Anything"), "service"},
        {FIELDS(":path", "/x.Service/Get"), "method"},
        {FIELDS(":path", "/a.Service/Get"), "service"}, /* the service weighs more */
        {FIELDS(":path", "/b.Service/Put"), "regex"},
        {FIELDS(":path", "/b.Service/Puts"), "no route"},
        {FIELDS(":path", "/bb.Service/Put"), "no route"},
        {FIELDS(":path", "/b.Service/Get"), "method"},
    };
    check_rows(yaml, rows, ARRAY_SIZE(rows));
}

static void most_specific_match_wins_wherever_it_stands(void **state)
{
    (void)state;
    /* clang-format off */
    static const char yaml[] = RULES
        "  - backendRefs: [{name: everything, port: 1}]\n"
        "  - matches: [{headers: [{name: a, value: x}]}]\n" BACKEND("one-header")
        "  - matches: [{headers: [{name: a, value: x}, {name: b, value: x}]}]\n" BACKEND("two-headers")
        "  - matches: [{method: {method: M}}]\n" BACKEND("short-method")
        "  - matches: [{method: {method: Method}}]\n" BACKEND("long-method")
        "  - matches: [{method: {type: RegularExpression, service: 'p[.]S.*'}}]\n" BACKEND("regex-service")
        "  - matches: [{method: {service: p.S}}]\n" BACKEND("service")
        "  - matches: [{method: {service: p.S, method: Method}}]\n" BACKEND("service-method")
        "  - matches: [{method: {service: p.S}, headers: [{name: b, value: x}]}]\n" BACKEND("service-header");
    /* clang-format on */
    const struct row rows[] = {
        {FIELDS(":path", "/q.S/N"), "everything"},
        {FIELDS(":path", "/q.S/N", "a", "x"), "one-header"},
        {FIELDS(":path", "/q.S/N", "b", "x"), "everything"},
        {FIELDS(":path", "/q.S/N", "a", "x", "b", "x"), "two-headers"},
        {FIELDS(":path", "/q.S/M", "a", "x", "b", "x"), "short-method"},
        {FIELDS(":path", "/q.S/Method", "a", "x"), "long-method"},
        {FIELDS(":path", "/p.S2/Method", "a", "x"), "regex-service"},
        {FIELDS(":path", "/p.S/N", "a", "x"), "service"},
        {FIELDS(":path", "/p.S/Method", "b", "x"), "service-method"},
        {FIELDS(":path", "/p.S/N", "b", "x"), "service-header"},
    };
    check_rows(yaml, rows, ARRAY_SIZE(rows));
}

static void first_rule_wins_among_equals(void **state)
{
    (void)state;
    static const char yaml[] = RULES RULE(HEADER("a", "x"), "first")
        RULE(HEADER("b", "x"), "second") RULE(HEADER("a", "x"), "third");
    const struct row rows[] = {
        {FIELDS(":path", PING, "a", "x"), "first"},
        {FIELDS(":path", PING, "b", "x"), "second"},
        {FIELDS(":path", PING, "b", "x", "a", "x"), "first"},
    };
    check_rows(yaml, rows, ARRAY_SIZE(rows));
}

static void rule_without_matches_takes_what_is_left(void **state)
{
    (void)state;
    static const char *const empty[] = {"", "    matches: []\n", "    matches: [{}]\n",
                                        "    matches:\n", "    matches: [{headers: []}]\n"};
    for (size_t i = 0; i < ARRAY_SIZE(empty); i++) {
        char yaml[1000];
        snprintf(yaml, sizeof(yaml), "%s  - name: rest\n%s%s%s", RULES, empty[i], BACKEND("rest"),
                 RULE(HEADER("a", "x"), "x"));
        const struct row rows[] = {
            {FIELDS(":path", PING), "rest"},
            {FIELDS(":path", "*"), "rest"},
            {FIELDS(":path", PING, "a", "x"), "x"},
        };
        check_rows(yaml, rows, ARRAY_SIZE(rows));
    }
}

static void header_names_ignore_case_and_values_do_not(void **state)
{
    (void)state;
    static const char yaml[] = RULES RULE(HEADER("Agent-Version", "V1.0"), "upper")
        RULE(HEADER("AGENT-VERSION", "v1.0"), "lower");
    const struct row rows[] = {
        {FIELDS(":path", PING, "agent-version", "V1.0"), "upper"},
        {FIELDS(":path", PING, "agent-version", "v1.0"), "lower"},
        {FIELDS(":path", PING, "agent-version", "v1.0 "), "no route"},
        {FIELDS(":path", PING, "agent-version", ""), "no route"},
    };
    check_rows(yaml, rows, ARRAY_SIZE(rows));
}

static void exact_values_are_no_expressions(void **state)
{
    (void)state;
    static const char yaml[] = RULES RULE(HEADER("a", "v.*"), "star");
    const struct row rows[] = {
        {FIELDS(":path", PING, "a", "v.*"), "star"},
        {FIELDS(":path", PING, "a", "v1"), "no route"},
    };
    check_rows(yaml, rows, ARRAY_SIZE(rows));
}

static void a_repeated_header_is_rejected_when_rules_look_at_it(void **state)
{
    (void)state;
    struct route_table *table =
        parse(RULES RULE(HEADER("agent-version", "v1.0"), "v1") RULE(HEADER("zone", "x"), "v2"));
    const struct route_rule *rule = NULL;
    const char *header = NULL;
    assert_int_equal(decide(table,
                            FIELDS(":path", PING, "agent-version", "v1.0", "agent-version", "v1.0"),
                            &rule, &header),
                     ROUTE_E_REPEATED_HEADER);
    assert_string_equal(header, "agent-version");
    /* also one that would not have decided */
    assert_string_equal(
        reached(table, FIELDS(":path", PING, "agent-version", "v1.0", "zone", "a", "zone", "b")),
        "repeated");
    assert_string_equal(
        reached(table, FIELDS(":path", PING, "other", "1", "other", "2", "agent-version", "v1.0")),
        "v1");
    route_table_free(table);
}

static void hostnames_limit_the_route(void **state)
{
    (void)state;
    static const char yaml[] =
        HEAD "spec:\n  hostnames: [exact.example.com, '*.wild.example.com']\n"
             "  rules:\n  - backendRefs: [{name: in, port: 1}]\n";
    const struct row rows[] = {
        {FIELDS(":path", PING, ":authority", "exact.example.com"), "in"},
        {FIELDS(":path", PING, ":authority", "exact.example.com:8443"), "in"},
        {FIELDS(":path", PING, ":authority", "EXACT.example.com"), "in"},
        {FIELDS(":path", PING, "host", "exact.example.com:1"), "in"},
        {FIELDS(":path", PING, ":authority", "a.exact.example.com"), "no route"},
        {FIELDS(":path", PING, ":authority", "exact.example.co"), "no route"},
        {FIELDS(":path", PING, ":authority", "a.wild.example.com"), "in"},
        {FIELDS(":path", PING, ":authority", "a.b.Wild.example.com:1"), "in"},
        {FIELDS(":path", PING, ":authority", "wild.example.com"), "no route"},
        {FIELDS(":path", PING, ":authority", ".wild.example.com"), "no route"},
        {FIELDS(":path", PING, ":authority", "notwild.example.com"), "no route"},
        {FIELDS(":path", PING, ":authority", "[::1]:8443"), "no route"},
        {FIELDS(":path", PING, ":authority", ""), "no route"},
        {FIELDS(":path", PING), "no route"},
    };
    check_rows(yaml, rows, ARRAY_SIZE(rows));
}

/* What the built-in routes do with values at the edge of their patterns. */
static void default_routes_tell_versions_apart(void **state)
{
    (void)state;
    static const struct {
        const char *version;
        const char *expected;
    } rows[] = {
        {"v1.0", "v1"},       {"v1.9", "v1"},       {"v1.10", "v1"},      {"v2.0", "v2"},
        {"v2.15", "v2"},      {"v10.0", "default"}, {"v11.1", "default"}, {"v20.1", "default"},
        {"v3.1", "default"},  {"v1", "default"},    {"v2", "default"},    {"xv1.2", "default"},
        {"xv2.1", "default"}, {"V1.0", "default"},  {"V2.0", "default"},  {"v1.0-rc1", "v1"},
        {"v2.0-rc1", "v2"},   {"", "default"},      {" v2.1", "default"}, {"v2,1", "default"},
        {"v2.1, v1.1", "v2"}, {"v1.1,v2.1", "v1"},  {"v21", "default"},   {"2.1", "default"},
        {"v2x1", "default"},
    };
    struct route_table *table = route_table_default();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct route_rule *rule = NULL;
        const char *header = NULL;
        assert_int_equal(
            decide(table, FIELDS(":path", PING, "agent-version", rows[i].version), &rule, &header),
            0);
        if (strcmp(rule->name, rows[i].expected) != 0) {
            fail_msg("\"%s\" matches rule %s", rows[i].version, rule->name);
        }
        assert_string_equal(rule->backends[0].name,
                            strcmp(rule->name, "v2") == 0 ? "server-v2" : "server-v1");
    }
    assert_string_equal(reached(table, FIELDS(":path", PING)), "server-v1");
    assert_string_equal(
        reached(table, FIELDS(":path", PING, "agent-version", "v2.1", "agent-version", "v2.1")),
        "repeated");
    route_table_free(table);
}

static void bytes_outside_ascii_and_long_values_are_matched_as_bytes(void **state)
{
    (void)state;
    struct route_table *table = route_table_default();
    char value[16 * 1024];
    memset(value, 'x', sizeof(value));
    memcpy(value, "v2.", 3);
    value[sizeof(value) - 1] = '\0';
    assert_string_equal(reached(table, FIELDS(":path", PING, "agent-version", value)), "server-v2");
    assert_string_equal(reached(table, FIELDS(":path", PING, "agent-version", "v2.\xff\xc3\x28")),
                        "server-v2");
    assert_string_equal(reached(table, FIELDS(":path", PING, "agent-version", "\xffv2.1")),
                        "server-v1");
    route_table_free(table);
}

static void an_undecided_expression_rejects_and_does_not_fall_through(void **state)
{
    (void)state;
    struct route_table *table = parse(
        RULES
        "  - matches:\n    - headers: [{name: a, type: RegularExpression, value: "
        "'(x+)+[yz]'}]\n" BACKEND(
            "slow") "  - matches:\n    - headers: [{name: a, type: RegularExpression, value: x+}, "
                    "{name: b, value: x}]\n" BACKEND(
                        "better") "  - backendRefs: [{name: default, port: 1}]\n");
    const char *xs = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    const struct route_rule *rule = NULL;
    const char *header = NULL;
    assert_string_equal(reached(table, FIELDS(":path", PING, "a", "xxy")), "slow");
    assert_string_equal(reached(table, FIELDS(":path", PING, "a", "z")), "default");
    assert_int_equal(decide(table, FIELDS(":path", PING, "a", xs), &rule, &header),
                     ROUTE_E_UNDECIDED);
    assert_string_equal(header, "a");
    /* a better rule that can be decided comes first */
    assert_string_equal(reached(table, FIELDS(":path", PING, "a", xs, "b", "x")), "better");
    route_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_match_as_in_conformance),
        cmocka_unit_test(methods_match_exactly_as_in_conformance),
        cmocka_unit_test(service_or_method_alone_is_enough),
        cmocka_unit_test(most_specific_match_wins_wherever_it_stands),
        cmocka_unit_test(first_rule_wins_among_equals),
        cmocka_unit_test(rule_without_matches_takes_what_is_left),
        cmocka_unit_test(header_names_ignore_case_and_values_do_not),
        cmocka_unit_test(exact_values_are_no_expressions),
        cmocka_unit_test(a_repeated_header_is_rejected_when_rules_look_at_it),
        cmocka_unit_test(hostnames_limit_the_route),
        cmocka_unit_test(default_routes_tell_versions_apart),
        cmocka_unit_test(bytes_outside_ascii_and_long_values_are_matched_as_bytes),
        cmocka_unit_test(an_undecided_expression_rejects_and_does_not_fall_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
