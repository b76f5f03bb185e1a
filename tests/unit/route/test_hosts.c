/* Several GRPCRoutes in a file, as documents and as lists: who goes first. */
#include "support.h"

#include "base/mem.h"

#include <stdlib.h>

/* One GRPCRoute: metadata, hostnames and rules in flow style. */
#define ROUTE(metadata, hostnames, rules)                                                          \
    "---\n" HEAD "metadata: {" metadata "}\nspec: {hostnames: [" hostnames "], rules: [" rules     \
    "]}\n"
#define TO(backend) "{backendRefs: [{name: " backend ", port: 1}]}"
#define WHEN(method, backend)                                                                      \
    "{matches: [{method: {" method "}}], backendRefs: [{name: " backend ", port: 1}]}"

static const char *at(const struct route_table *table, const char *host)
{
    return reached(table, FIELDS(":path", PING, ":authority", host));
}

static void the_most_specific_hostname_goes_first(void **state)
{
    (void)state;
    struct route_table *table =
        parse(ROUTE("name: any", "", TO("any")) ROUTE("name: wide", "'*.org'", TO("wide"))
                  ROUTE("name: exact", "a.example.org, b.c", TO("exact"))
                      ROUTE("name: narrow", "'*.example.org'", TO("narrow")));
    assert_string_equal(at(table, "a.example.org"), "exact");
    assert_string_equal(at(table, "A.EXAMPLE.ORG:8443"), "exact");
    assert_string_equal(at(table, "b.c"), "exact");
    assert_string_equal(at(table, "b.example.org"), "narrow");
    assert_string_equal(at(table, "x.a.example.org"), "narrow");
    assert_string_equal(at(table, "example.org"), "wide");
    assert_string_equal(at(table, "org"), "any");
    assert_string_equal(at(table, "example.com"), "any");
    assert_string_equal(reached(table, FIELDS(":path", PING)), "any");
    route_table_free(table);
}

/* The hostname decides before the match; what no rule of it takes goes on to the next one. */
static void what_a_hostname_does_not_take_goes_on(void **state)
{
    (void)state;
    struct route_table *table =
        parse(ROUTE("name: a", "a.org",
                    "{matches: [{headers: [{name: x, value: '1'}]}], backendRefs: "
                    "[{name: exact, port: 1}]}")
                  ROUTE("name: b", "'*.org'", WHEN("service: ping.PingService", "wide"))
                      ROUTE("name: c", "b.org", TO("other")));
    assert_string_equal(reached(table, FIELDS(":path", PING, ":authority", "a.org", "x", "1")),
                        "exact");
    assert_string_equal(at(table, "a.org"), "wide");
    assert_string_equal(reached(table, FIELDS(":path", "/no/No", ":authority", "a.org")),
                        "no route");
    assert_string_equal(at(table, "b.org"), "other");
    assert_string_equal(at(table, "example.com"), "no route");
    route_table_free(table);
}

static void of_equal_hostnames_the_match_decides(void **state)
{
    (void)state;
    struct route_table *table =
        parse(ROUTE("name: a, creationTimestamp: '2020-01-01T00:00:00Z'", "a.org",
                    WHEN("service: ping.PingService", "old"))
                  ROUTE("name: b, creationTimestamp: '2021-01-01T00:00:00Z'", "a.org",
                        WHEN("service: ping.PingService, method: PingPong", "specific")));
    assert_string_equal(at(table, "a.org"), "specific");
    route_table_free(table);
}

/* The first of the ties: the oldest, then "namespace/name", then the first in the file. */
static void ties_go_to_the_oldest_then_to_the_name(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        const char *first;
    } rows[] = {
        {ROUTE("name: a, creationTimestamp: '2021-01-01T00:00:00Z'", "", TO("young"))
             ROUTE("name: b, creationTimestamp: '2020-12-31T23:59:59Z'", "", TO("old")),
         "old"},
        {ROUTE("name: a", "", TO("none"))
             ROUTE("name: b, creationTimestamp: 2026-01-01T00:00:00Z", "", TO("old")),
         "old"},
        {ROUTE("name: b", "", TO("b")) ROUTE("name: a", "", TO("a")), "a"},
        {ROUTE("name: b, namespace: a", "", TO("b")) ROUTE("name: a, namespace: b", "", TO("a")),
         "b"},
        {ROUTE("name: x, namespace: a", "", TO("b")) ROUTE("name: x, namespace: a-b", "", TO("a")),
         "a"}, /* "a-b/x" comes before "a/x" */
        {ROUTE("", "", TO("b")) ROUTE("", "", TO("a")), "b"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct route_table *table = parse(rows[i].yaml);
        assert_string_equal(at(table, "a.org"), rows[i].first);
        assert_int_equal(table->hosts[0].candidate_count, 2);
        route_table_free(table);
    }
}

static void a_service_of_several_namespaces_is_several_clusters(void **state)
{
    (void)state;
    struct route_table *table = parse(ROUTE("name: a, namespace: one", "a.org", TO("server"))
                                          ROUTE("name: b, namespace: two", "b.org", TO("server")));
    assert_int_equal(table->cluster_count, 2);
    assert_string_equal(table->clusters[0].host, "server.one");
    assert_string_equal(table->clusters[1].host, "server.two");
    route_table_free(table);
    table = parse(ROUTE("name: a, namespace: one", "a.org", TO("server"))
                      ROUTE("name: b, namespace: one", "b.org", TO("server")));
    assert_int_equal(table->cluster_count, 1);
    assert_string_equal(table->clusters[0].host, "server");
    route_table_free(table);
}

static void hosts_that_decide_alike_are_one_entry(void **state)
{
    (void)state;
    struct route_table *table =
        parse(ROUTE("name: a", "'*.org', a.example.org, b.org, b.org", TO("server")));
    assert_int_equal(table->host_count, 1);
    assert_int_equal(table->hosts[0].name_count, 3);
    assert_string_equal(table->hosts[0].names[0], "a.example.org");
    assert_string_equal(table->hosts[0].names[2], "*.org");
    assert_int_equal(table->hosts[0].candidate_count, 1);
    route_table_free(table);
}

static void names_of_rules_are_of_their_route(void **state)
{
    (void)state;
    struct route_table *table =
        parse(ROUTE("name: a", "a.org", "{name: r}") ROUTE("name: b", "b.org", "{name: r}"));
    assert_int_equal(table->rule_count, 2);
    assert_int_equal(table->rules[1].number, 0);
    assert_string_equal(table->rules[1].object->name, "b");
    route_table_free(table);
}

/* ---- what kubectl writes --------------------------------------------------------------------- */

static const char got[] =
    "apiVersion: v1\nitems:\n"
    "- apiVersion: gateway.networking.k8s.io/v1\n"
    "  kind: GRPCRoute\n"
    "  metadata:\n"
    "    annotations:\n"
    "      kubectl.kubernetes.io/last-applied-configuration: |\n"
    "        {\"apiVersion\":\"gateway.networking.k8s.io/v1\",\"kind\":\"GRPCRoute\",\"spec\":{}}\n"
    "    creationTimestamp: \"2026-11-25T10:00:00Z\"\n"
    "    generation: 1\n"
    "    managedFields:\n"
    "    - {apiVersion: v1, fieldsType: FieldsV1, fieldsV1: {'f:spec': {.: {}, 'f:rules': {}}}}\n"
    "    name: one\n    namespace: here\n    resourceVersion: \"123\"\n"
    "    uid: 0f1e2d3c-0000-4000-8000-000000000000\n"
    "  spec:\n"
    "    parentRefs:\n    - {group: gateway.networking.k8s.io, kind: Gateway, name: g}\n"
    "    rules:\n"
    "    - backendRefs:\n      - {group: \"\", kind: Service, name: server-v1, port: 1, weight: 1}\n"
    "      matches:\n      - headers: [{name: x, type: Exact, value: \"1\"}]\n"
    "  status:\n"
    "    parents:\n"
    "    - {conditions: [{lastTransitionTime: \"2026-11-25T10:00:01Z\", status: \"True\"}],\n"
    "       controllerName: example.com/c, parentRef: {name: g}}\n"
    "- apiVersion: v1\n  kind: Service\n  metadata: {name: server-v1}\n"
    "- apiVersion: gateway.networking.k8s.io/v1\n"
    "  kind: GRPCRoute\n"
    "  metadata: {creationTimestamp: null, name: two, namespace: here}\n"
    "  spec: {rules: [{backendRefs: [{name: server-v2, port: 1}]}]}\n"
    "kind: List\nmetadata:\n  resourceVersion: \"\"\n";

static void lists_are_their_items(void **state)
{
    (void)state;
    static const char typed[] =
        "{\n\t\"apiVersion\": \"gateway.networking.k8s.io/v1\", \"kind\": \"GRPCRouteList\",\n"
        "\t\"metadata\": {\"continue\": \"\"}, \"items\": [\n"
        "\t{\"metadata\": {\"name\": \"one\", \"annotations\": {\"a\": \"\\u003c\\/b\\u003e\"}}, "
        "\"spec\": {\"rules\": [{\"matches\": [{\"headers\": "
        "[{\"name\": \"x\", \"value\": \"1\"}]}], \"backendRefs\": [{\"name\": \"server-v1\", "
        "\"port\": 1}]}]}},\n"
        "\t{\"metadata\": {\"name\": \"two\"}, \"spec\": {\"rules\": [{\"backendRefs\": [{\"name\": "
        "\"server-v2\", \"port\": 1}]}]}}]}";
    const char *const texts[] = {got, typed};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct route_table *table = parse(texts[i]);
        assert_int_equal(table->object_count, 2);
        assert_string_equal(table->objects[1]->name, "two");
        assert_string_equal(reached(table, FIELDS(":path", PING, "x", "1")), "server-v1");
        assert_string_equal(reached(table, FIELDS(":path", PING, "x", "2")), "server-v2");
        route_table_free(table);
    }
}

/* ---- YAML ------------------------------------------------------------------------------------ */

static void merge_keys_fill_the_gaps(void **state)
{
    (void)state;
    struct route_table *table = parse(
        HEAD
        "metadata:\n  labels: {<<: {a: b}, c: d}\nspec:\n  rules:\n"
        "  - &one\n    name: one\n    backendRefs:\n    - &s {name: server-v1, port: 7, weight: 3}\n"
        "  - <<: *one\n    name: two\n"
        "    backendRefs:\n    - {<<: *s, name: server-v2}\n"
        "    - <<: [{port: 8}, {port: 9, weight: 5}, *s]\n      name: server-v3\n"
        "    - {name: server-v4, weight: null, <<: *s}\n");
    const struct route_rule *rule = &table->rules[1];
    assert_string_equal(rule->name, "two");
    assert_int_equal(rule->backend_count, 3);
    assert_string_equal(rule->backends[0].name, "server-v2");
    assert_int_equal(rule->backends[0].port, 7);
    assert_int_equal(rule->backends[0].weight, 3);
    assert_int_equal(rule->backends[1].port, 8);
    assert_int_equal(rule->backends[1].weight, 5);
    assert_int_equal(rule->backends[2].port, 7);
    assert_int_equal(rule->backends[2].weight, 1); /* null is the default, and goes before */
    route_table_free(table);
}

static void merge_keys_do_not_multiply(void **state)
{
    (void)state;
    char yaml[8000] = HEAD "metadata:\n  annotations:\n    a: &a0 {name: x}\nspec:\n  rules:\n";
    for (int i = 1; i < 8; i++) {
        snprintf(yaml + strlen(yaml), sizeof(yaml) - strlen(yaml),
                 "  - &a%d {<<: [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]}\n", i, i - 1,
                 i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    }
    struct route_table *table = NULL;
    struct route_error error;
    yaml[strstr(yaml, "    a: &a0") - yaml + 4] = 'b';
    assert_int_equal(route_table_parse(yaml, strlen(yaml), "r", &table, &error), 1);
}

static void tags_say_what_a_scalar_is(void **state)
{
    (void)state;
    struct route_table *table =
        parse(HEAD "metadata:\n  labels: {a: !!str 1, b: !!str true, 'f\xc3\xbc': !!str }\n"
                   "spec: !!map\n  rules: !!seq\n"
                   "  - name: !!null x\n    matches: [{headers: [{name: h, value: !!str 1.0}]}]\n"
                   "    backendRefs:\n    - name: !!str 12\n      port: !!int \"50051\"\n"
                   "      weight: !!int 2\n");
    assert_null(table->rules[0].name);
    assert_string_equal(table->rules[0].backends[0].name, "12");
    assert_int_equal(table->rules[0].backends[0].port, 50051);
    assert_int_equal(table->rules[0].backends[0].weight, 2);
    assert_string_equal(table->rules[0].matches[0].headers[0].pattern.value, "1.0");
    route_table_free(table);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static char *many(size_t objects, size_t hostnames)
{
    char *yaml = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&yaml, &len);
    assert_non_null(out);
    for (size_t i = 0; i < objects; i++) {
        fprintf(out, "---\n" HEAD "metadata: {name: r%zu}\nspec:\n  hostnames: [", i);
        for (size_t k = 0; k < hostnames; k++) {
            fprintf(out, "%sh%zu.r%zu.org", k > 0 ? ", " : "", k, i);
        }
        fputs("]\n  rules: [{backendRefs: [{name: a, port: 1}]}, {}, {}, {}]\n", out);
    }
    fclose(out);
    return yaml;
}

static void a_file_at_its_limits_is_taken(void **state)
{
    (void)state;
    char *yaml = many(ROUTE_OBJECTS_MAX, ROUTE_HOSTNAMES_MAX);
    struct route_table *table = parse(yaml);
    assert_int_equal(table->rule_count, ROUTE_RULES_TOTAL_MAX);
    assert_int_equal(table->host_count, ROUTE_OBJECTS_MAX);
    assert_string_equal(at(table, "h15.r63.org"), "a");
    route_table_free(table);
    free(yaml);
}

static void a_file_past_its_limits_is_refused(void **state)
{
    (void)state;
    struct route_table *table = NULL;
    struct route_error error;
    char *yaml = many(ROUTE_OBJECTS_MAX + 1, 0);
    assert_int_equal(route_table_parse(yaml, strlen(yaml), "r", &table, &error), 1);
    assert_non_null(strstr(error.text, "more than 64 GRPCRoutes"));
    free(yaml);

    /* one for any host, and its rules in each of the others */
    yaml = many(ROUTE_OBJECTS_MAX - 1, 1);
    size_t len = strlen(yaml);
    yaml = mem_realloc(yaml, len + 20000);
    snprintf(yaml + len, 200, "---\n" HEAD "spec:\n  rules:\n");
    for (int r = 0; r < 2; r++) {
        strcat(yaml, "  - matches:\n");
        for (int m = 0; m < 64; m++) {
            strcat(yaml, "    - {}\n");
        }
    }
    assert_int_equal(route_table_parse(yaml, strlen(yaml), "r", &table, &error), 0);
    assert_int_equal(table->hosts[0].candidate_count, 4 + 128);
    route_table_free(table);
    free(yaml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_specific_hostname_goes_first),
        cmocka_unit_test(what_a_hostname_does_not_take_goes_on),
        cmocka_unit_test(of_equal_hostnames_the_match_decides),
        cmocka_unit_test(ties_go_to_the_oldest_then_to_the_name),
        cmocka_unit_test(a_service_of_several_namespaces_is_several_clusters),
        cmocka_unit_test(hosts_that_decide_alike_are_one_entry),
        cmocka_unit_test(names_of_rules_are_of_their_route),
        cmocka_unit_test(lists_are_their_items),
        cmocka_unit_test(merge_keys_fill_the_gaps),
        cmocka_unit_test(merge_keys_do_not_multiply),
        cmocka_unit_test(tags_say_what_a_scalar_is),
        cmocka_unit_test(a_file_at_its_limits_is_taken),
        cmocka_unit_test(a_file_past_its_limits_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
