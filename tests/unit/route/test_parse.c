/* Complaints carry file, line, path and what was expected; good files become tables. */
#include "base/mem.h"
#include "route/load.h"
#include "route/parse.h"
#include "route/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD    "apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nspec:\n  rules:\n"
#define BACKEND "    backendRefs: [{name: a, port: 1}]\n"

static void bad_files_are_refused_with_line_and_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *complaint;
    } rows[] = {
        {"", "no GRPCRoute"},
        {"\t", "not YAML"},
        {"just text\n", "r.yaml:1: not a Kubernetes object"},
        {"apiVersion: v1\nkind: Service\n", "no GRPCRoute"},
        {"apiVersion: v2\nkind: GRPCRoute\nspec: {rules: []}\n", "r.yaml:1: apiVersion: \"v2\""},
        {"apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\n", "\"spec\" is missing"},
        {HEAD "  - name: X\n" BACKEND, "r.yaml:5: spec.rules[0].name: \"X\" is not a name"},
        {HEAD "  - matches: 5\n" BACKEND, "r.yaml:5: spec.rules[0].matches: expected a list"},
        {HEAD "  - filters: []\n" BACKEND, "r.yaml:5: spec.rules[0].filters: this field"},
        {HEAD "  - backendRefs: [{name: a}]\n", "\"port\" is missing"},
        {HEAD "  - backendRefs: [{name: a, port: 0}]\n", "from 1 to 65535"},
        {HEAD "  - backendRefs: [{name: a, port: '80'}]\n", "\"80\" is not a whole number"},
        {HEAD "  - backendRefs: [{name: a, port: 1, weight: -1}]\n", "from 0 to 1000000"},
        {HEAD "  - backendRefs: [{name: a, port: 1, kind: Pod}]\n",
         "only backends of kind Service"},
        {HEAD "  - backendRefs: [{name: a, port: 1}]\n    backendRefs: []\n", "given twice"},
        {HEAD "  - matches: [{headers: [{name: 'a b', value: c}]}]\n" BACKEND,
         "\"a b\" is not a header name"},
        {HEAD "  - matches: [{headers: [{name: a, value: b}, {name: A, value: c}]}]\n" BACKEND,
         "matched twice"},
        {HEAD "  - matches: [{headers: [{name: a, value: ''}]}]\n" BACKEND, "1 to 4096 characters"},
        {HEAD
         "  - matches: [{headers: [{name: a, type: RegularExpression, value: '['}]}]\n" BACKEND,
         "bad regular expression"},
        {HEAD "  - matches: [{method: {}}]\n" BACKEND, "service or method must be given"},
        {HEAD "  - matches: [{path: /}]\n" BACKEND, "unknown field \"path\"; expected one of"},
        {HEAD "  - {backendRefs: []}\n---\n" HEAD "  - {backendRefs: []}\n", "a second GRPCRoute"},
        {"kind: GRPCRoute\nspec: &a [*a]\n", "expected a mapping, found a list"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct route_table *table;
        struct route_error error = {0};
        int rv = route_table_parse(rows[i].text, strlen(rows[i].text), "r.yaml", &table, &error);
        assert_int_equal(rv, 1);
        if (strstr(error.text, rows[i].complaint) == NULL) {
            fail_msg("row %zu: \"%s\" lacks \"%s\"", i, error.text, rows[i].complaint);
        }
        assert_null(strchr(error.text, '\n'));
    }
}

static void seventeen_rules_are_too_many(void **state)
{
    (void)state;
    char text[4000] = HEAD;
    for (int i = 0; i < 17; i++) {
        strncat(text, "  - backendRefs: [{name: a, port: 1}]\n", sizeof(text) - strlen(text) - 1);
    }
    struct route_table *table;
    struct route_error error;
    assert_int_equal(route_table_parse(text, strlen(text), "r", &table, &error), 1);
    assert_non_null(strstr(error.text, "at most 16"));
}

static void other_documents_are_passed_over(void **state)
{
    (void)state;
    static const char text[] = "kind: Gateway\nspec: {anything: [1, 2]}\n---\n" HEAD
                               "  - backendRefs: [{name: a, port: 1}]\n---\nkind: Service\n";
    struct route_table *table;
    struct route_error error;
    assert_int_equal(route_table_parse(text, strlen(text), "r", &table, &error), 0);
    assert_int_equal(table->rule_count, 1);
    route_table_free(table);
}

static void built_in_routes_are_the_file_in_deploy(void **state)
{
    (void)state;
    struct route_table *file;
    struct route_error error;
    assert_int_equal(route_table_load_file(DEFAULT_ROUTES, &file, &error), 0);
    struct route_table *built_in = route_table_default();
    assert_string_equal(route_table_source(built_in), route_table_source(file));
    assert_int_equal(built_in->rule_count, 3);
    route_table_free(built_in);
    route_table_free(file);
}

static void unreadable_files_are_named(void **state)
{
    (void)state;
    struct route_table *table;
    struct route_error error;
    assert_int_equal(route_table_load_file("/nonexistent/r.yaml", &table, &error), 1);
    assert_non_null(strstr(error.text, "/nonexistent/r.yaml"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_files_are_refused_with_line_and_reason),
        cmocka_unit_test(seventeen_rules_are_too_many),
        cmocka_unit_test(other_documents_are_passed_over),
        cmocka_unit_test(built_in_routes_are_the_file_in_deploy),
        cmocka_unit_test(unreadable_files_are_named),
    };
    return cmocka_run_group_tests_name("route/parse", tests, NULL, NULL);
}
