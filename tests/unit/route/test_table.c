/* What a table holds when its file is right, and how files are read. */
#include "route/load.h"
#include "route/parse.h"
#include "support.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>
#include <unistd.h>

static const char full[] =
    "---\n# a comment\n" HEAD "metadata:\n"
    "  name: routes\n"
    "  namespace: here\n"
    "  labels: {app: x}\n"
    "  annotations: {note: \"1\"}\n"
    "  creationTimestamp: null\n"
    "  generation: 3\n"
    "  managedFields: [{manager: kubectl}]\n"
    "spec:\n"
    "  parentRefs:\n"
    "  - {group: gateway.networking.k8s.io, kind: Gateway, namespace: here, name: gate,\n"
    "     sectionName: grpc, port: 443}\n"
    "  hostnames: [a.example.com]\n"
    "  rules:\n"
    "  - name: first\n"
    "    matches:\n"
    "    - method: {type: Exact, service: p.S, method: M}\n"
    "      headers:\n"
    "      - {name: Zone, type: Exact, value: \"1\"}\n"
    "      - {name: agent-version, type: RegularExpression, value: 'v1\\..*'}\n"
    "    - headers: [{name: zone, value: b}]\n"
    "    backendRefs:\n"
    "    - {group: \"\", kind: Service, name: server-v1, port: 50051, weight: 3}\n"
    "    - {name: server-v1, namespace: here, port: 50051, weight: 0}\n"
    "    - {name: server-v1, namespace: there, port: 50051}\n"
    "    - {name: server-v2, port: 1}\n"
    "    - {name: server-v2, port: 65535}\n"
    "  -\n"
    "    filters:\n"
    "status: {parents: []}\n";

static void every_field_arrives(void **state)
{
    (void)state;
    struct route_table *table = parse(full);
    assert_string_equal(table->objects[0]->name, "routes");
    assert_string_equal(table->objects[0]->namespace, "here");
    assert_int_equal(table->objects[0]->hostname_count, 1);
    assert_string_equal(table->objects[0]->hostnames[0], "a.example.com");
    assert_string_equal(route_table_source(table), full);
    assert_int_equal(table->rule_count, 2);

    const struct route_rule *rule = &table->rules[0];
    assert_string_equal(rule->name, "first");
    assert_int_equal(rule->match_count, 2);
    const struct route_match *match = &rule->matches[0];
    assert_string_equal(match->service.value, "p.S");
    assert_string_equal(match->method.value, "M");
    assert_null(match->service.regex);
    assert_int_equal(match->header_count, 2);
    assert_string_equal(match->headers[0].name, "zone");
    assert_null(match->headers[0].pattern.regex);
    assert_string_equal(match->headers[1].pattern.value, "v1\\..*");
    assert_non_null(match->headers[1].pattern.regex);
    assert_int_equal(table->header_name_count, 2);
    assert_int_equal(rule->matches[1].headers[0].index, match->headers[0].index);

    assert_null(table->rules[1].name);
    assert_int_equal(table->rules[1].match_count, 0);
    assert_int_equal(table->rules[1].backend_count, 0);
    route_table_free(table);
}

static void clusters_are_services_at_ports_each_once(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *host;
        uint16_t port;
    } rows[] = {
        {"server-v1", "server-v1", 50051},
        {"server-v1.there", "server-v1.there", 50051},
        {"server-v2:1", "server-v2", 1},
        {"server-v2:65535", "server-v2", 65535},
    };
    struct route_table *table = parse(full);
    assert_int_equal(table->cluster_count, ARRAY_SIZE(rows));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_string_equal(table->clusters[i].name, rows[i].name);
        assert_string_equal(table->clusters[i].host, rows[i].host);
        assert_int_equal(table->clusters[i].port, rows[i].port);
    }
    const struct route_backend *backends = table->rules[0].backends;
    assert_int_equal(table->rules[0].backend_count, 5);
    assert_ptr_equal(backends[0].cluster, &table->clusters[0]);
    assert_ptr_equal(backends[1].cluster, &table->clusters[0]);
    assert_ptr_equal(backends[2].cluster, &table->clusters[1]);
    assert_ptr_equal(backends[4].cluster, &table->clusters[3]);
    assert_int_equal(backends[0].weight, 3);
    assert_int_equal(backends[1].weight, 0);
    assert_int_equal(backends[2].weight, 1);
    route_table_free(table);
}

static void other_kinds_in_the_file_are_passed_over(void **state)
{
    (void)state;
    struct route_table *table =
        parse("kind: Gateway\nspec: {filters: 1, filters: 2}\n---\n---\n# nothing\n---\n" RULES
              "  - backendRefs: [{name: a, port: 1}]\n---\nkind: Service\n---\n");
    assert_int_equal(table->rule_count, 1);
    route_table_free(table);
}

static void json_anchors_and_windows_lines_are_yaml_too(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"apiVersion\": \"gateway.networking.k8s.io/v1\", \"kind\": \"GRPCRoute\", \"spec\": "
        "{\"rules\": [{\"backendRefs\": [{\"name\": \"a\", \"port\": 1}]}, "
        "{\"name\": \"b\", \"backendRefs\": [{\"name\": \"a\", \"port\": 1}]}]}}",
        RULES "  - backendRefs: &b [{name: a, port: 1}]\n  - backendRefs: *b\n",
        "apiVersion: gateway.networking.k8s.io/v1\r\nkind: GRPCRoute\r\nspec:\r\n  rules:\r\n"
        "  - backendRefs: [{name: a, port: 1}]\r\n  - backendRefs: [{name: a, port: 1}]\r\n",
        "\xef\xbb\xbf" RULES "  - backendRefs: [{name: a, port: 1}]\n"
        "  - backendRefs: [{name: a, port: 1}]\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct route_table *table = parse(texts[i]);
        assert_int_equal(table->rule_count, 2);
        assert_string_equal(table->rules[1].backends[0].name, "a");
        assert_int_equal(table->cluster_count, 1);
        route_table_free(table);
    }
}

/* ---- sizes ----------------------------------------------------------------------------------- */

/* A growing text. */
struct draft {
    char *text;
    size_t len;
};

static void add(struct draft *draft, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct draft *draft, const char *format, ...)
{
    char piece[400];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(piece, sizeof(piece), format, args);
    va_end(args);
    draft->text = mem_realloc(draft->text, draft->len + (size_t)len + 1);
    memcpy(draft->text + draft->len, piece, (size_t)len + 1);
    draft->len += (size_t)len;
}

/* A route of 16 rules with this many matches, headers and backends each. */
static struct draft big_route(size_t matches, size_t headers, size_t backends)
{
    struct draft draft = {NULL, 0};
    add(&draft, "%s", RULES);
    for (size_t r = 0; r < ROUTE_RULES_MAX; r++) {
        add(&draft, "  - name: r%zu\n    matches:\n", r);
        for (size_t m = 0; m < matches; m++) {
            add(&draft, "    - headers:\n");
            for (size_t h = 0; h < headers; h++) {
                add(&draft,
                    "      - {name: h%zu, type: RegularExpression, value: '(x+)+%zu.%zu'}\n", h, r,
                    m);
            }
        }
        add(&draft, "    backendRefs:\n");
        for (size_t b = 0; b < backends; b++) {
            add(&draft, "    - {name: s%zu-%zu, port: 1}\n", r, b);
        }
    }
    return draft;
}

static void a_table_at_all_limits_is_taken(void **state)
{
    (void)state;
    struct draft draft =
        big_route(ROUTE_MATCHES_TOTAL_MAX / ROUTE_RULES_MAX, ROUTE_HEADERS_MAX, ROUTE_BACKENDS_MAX);
    struct route_table *table = parse(draft.text);
    assert_int_equal(table->hosts[0].candidate_count, ROUTE_MATCHES_TOTAL_MAX);
    assert_int_equal(table->cluster_count, ROUTE_RULES_MAX * ROUTE_BACKENDS_MAX);
    assert_int_equal(table->header_name_count, ROUTE_HEADERS_MAX);
    /* and a request that fits none of it is decided at once */
    uint64_t start_ms = clock_now_ms();
    assert_string_equal(reached(table, FIELDS(":path", PING, "h0", "xxxxxxxxxxxxxxxxxxxxxxxxxxx")),
                        "no route");
    assert_string_equal(reached(table, FIELDS(":path", PING, "h15", "x")), "no route");
    assert_true(clock_now_ms() - start_ms < 5000);
    route_table_free(table);
    free(draft.text);
}

static int parse_error(const char *text, size_t len, struct route_error *error)
{
    struct route_table *table = NULL;
    int rv = route_table_parse(text, len, "routes.yaml", &table, error);
    if (rv == 0) {
        route_table_free(table);
    }
    return rv;
}

/* Files that are made to cost time and memory end soon, whatever their verdict. */
static void hostile_files_cost_little(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "[",    "{",      "- ",      "? ",  "a: ",        "- &a x\n", "---\n", "&a *a ", "'\n",
        "\"\\", "x: \n ", "- {a}\n", "[a,", "? a\n: b\n", "- *a\n",   "!t ",   "|\n",    "#\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        size_t len = strlen(pieces[i]);
        size_t bytes = ROUTE_FILE_BYTES / len * len;
        char *text = mem_calloc(bytes, 1);
        for (size_t at = 0; at < bytes; at += len) {
            memcpy(text + at, pieces[i], len);
        }
        struct route_error error;
        uint64_t start_ms = clock_now_ms();
        assert_int_equal(parse_error(text, bytes, &error), 1);
        uint64_t took_ms = clock_now_ms() - start_ms;
        if (took_ms > 5000) { /* well below 1 s without sanitizers */
            fail_msg("\"%s\" took %llu ms", pieces[i], (unsigned long long)took_ms);
        }
        free(text);
    }
}

static void aliases_do_not_multiply(void **state)
{
    (void)state;
    struct draft draft = {NULL, 0};
    add(&draft, "kind: Bomb\na0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 60; i++) {
        add(&draft, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1, i - 1, i - 1,
            i - 1, i - 1, i - 1);
    }
    add(&draft, "---\n%s  - backendRefs: [{name: a, port: 1}]\n", RULES);
    route_table_free(parse(draft.text));
    free(draft.text);

    struct route_error error;
    static const char cycle[] = HEAD "spec: &s\n  rules: [*s]\n";
    assert_int_equal(parse_error(cycle, strlen(cycle), &error), 1);
    assert_string_equal(error.text,
                        "routes.yaml:4: spec.rules[0]: \"rules\" is not a field; expected "
                        "one of name, matches, backendRefs, filters, sessionPersistence");
}

static void any_prefix_of_a_file_is_taken_or_refused_in_one_line(void **state)
{
    (void)state;
    for (size_t len = 0; len < strlen(full); len++) {
        struct route_error error = {{0}};
        if (parse_error(full, len, &error) != 0) {
            assert_true(strncmp(error.text, "routes.yaml:", 12) == 0);
            assert_null(strchr(error.text, '\n'));
        }
    }
}

/* ---- files ----------------------------------------------------------------------------------- */

static void files_are_read_and_named(void **state)
{
    (void)state;
    char path[] = "/tmp/route-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    struct route_table *table = NULL;
    struct route_error error;
    char expected[200];

    assert_int_equal(route_table_load_file(path, &table, &error), 1);
    snprintf(expected, sizeof(expected), "%s: no GRPCRoute in this file: it is empty", path);
    assert_string_equal(error.text, expected);

    assert_int_equal(write(fd, full, strlen(full)), strlen(full));
    assert_int_equal(route_table_load_file(path, &table, &error), 0);
    assert_string_equal(route_table_source(table), full);
    route_table_free(table);

    assert_int_equal(ftruncate(fd, ROUTE_FILE_BYTES + 1), 0);
    assert_int_equal(route_table_load_file(path, &table, &error), 1);
    snprintf(expected, sizeof(expected), "%s: larger than 1 MiB", path);
    assert_string_equal(error.text, expected);
    close(fd);
    unlink(path);

    assert_int_equal(route_table_load_file(path, &table, &error), 1);
    snprintf(expected, sizeof(expected), "%s: No such file or directory", path);
    assert_string_equal(error.text, expected);
    assert_int_equal(route_table_load_file("/", &table, &error), 1);
    assert_string_equal(error.text, "/: Is a directory");
}

static void built_in_routes_are_the_file_of_deploy(void **state)
{
    (void)state;
    struct route_table *file = NULL;
    struct route_error error = {{0}};
    if (route_table_load_file(ROUTES_FILE, &file, &error) != 0) {
        fail_msg("%s", error.text);
    }
    struct route_table *built_in = route_table_default();
    assert_string_equal(route_table_source(built_in), route_table_source(file));
    assert_string_equal(built_in->objects[0]->namespace, "grpc-routing-poc");
    assert_int_equal(built_in->rule_count, 3);
    assert_int_equal(built_in->cluster_count, 2);
    for (size_t i = 0; i < built_in->cluster_count; i++) {
        assert_int_equal(built_in->clusters[i].port, 50051);
    }
    route_table_free(built_in);
    route_table_free(file);
    route_table_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_arrives),
        cmocka_unit_test(clusters_are_services_at_ports_each_once),
        cmocka_unit_test(other_kinds_in_the_file_are_passed_over),
        cmocka_unit_test(json_anchors_and_windows_lines_are_yaml_too),
        cmocka_unit_test(a_table_at_all_limits_is_taken),
        cmocka_unit_test(hostile_files_cost_little),
        cmocka_unit_test(aliases_do_not_multiply),
        cmocka_unit_test(any_prefix_of_a_file_is_taken_or_refused_in_one_line),
        cmocka_unit_test(files_are_read_and_named),
        cmocka_unit_test(built_in_routes_are_the_file_of_deploy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
