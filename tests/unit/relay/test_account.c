/* Accounts of rules: their names, and what a reload keeps. */
#include "relay/account.h"

#include "relay/cluster.h"
#include "relay/routing.h"
#include "route/load.h"
#include "route/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ROUTE(metadata, rules)                                                                     \
    "apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\n" metadata                         \
    "spec:\n  rules:\n" rules "---\n"
#define RULE(name) "  - {" name "backendRefs: [{name: server-v1, port: 50051}]}\n"

static struct routing *routing_of(const char *text)
{
    struct route_table *table;
    struct route_error error;
    if (route_table_parse(text, strlen(text), "routes", &table, &error) != 0) {
        fail_msg("%s", error.text);
    }
    struct cluster *clusters[4];
    assert_true(table->cluster_count <= 4);
    for (size_t i = 0; i < table->cluster_count; i++) {
        clusters[i] = cluster_new(table->clusters[i].name, LB_ROUND_ROBIN);
    }
    return routing_new(table, clusters);
}

static uint64_t streams_of(const struct routing *routing, size_t rule)
{
    return atomic_load(&routing->accounts[rule]->streams_total);
}

static void count(struct routing *routing, size_t rule)
{
    assert_non_null(routing_pick(routing, &routing->table->rules[rule]));
}

static void a_rule_has_one_name_and_no_other_has_it(void **state)
{
    (void)state;
    static const char *const names[] = {"a/b/c", "a/b[1]", "a[0]", "a/b", "#2[0]", "#3[0]"};
    struct routing *routing =
        routing_of(ROUTE("metadata: {name: b, namespace: a}\n", RULE("name: c, ") RULE(""))
                       ROUTE("metadata: {name: a}\n", RULE("") RULE("name: b, "))
                           ROUTE("", RULE("")) ROUTE("", RULE("")));
    assert_int_equal(routing->table->rule_count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(routing->accounts[i]->name, names[i]);
    }
    routing_unref(routing);
}

static void a_rule_that_stays_goes_on_counting(void **state)
{
    (void)state;
    struct routing *old =
        routing_of(ROUTE("metadata: {name: r}\n", RULE("name: goes, ") RULE("name: stays, ")));
    count(old, 0);
    count(old, 1);
    count(old, 1);
    struct routing *fresh =
        routing_of(ROUTE("metadata: {name: r}\n", RULE("name: stays, ") RULE("name: comes, ")));
    routing_continue(fresh, old);
    assert_int_equal(streams_of(fresh, 0), 2);
    assert_int_equal(streams_of(fresh, 1), 0);
    count(old, 1); /* a stream of before is still of this rule */
    assert_int_equal(streams_of(fresh, 0), 3);
    routing_unref(old);
    assert_int_equal(streams_of(fresh, 0), 3);
    routing_unref(fresh);
}

static void the_blocks_of_workers_share_no_cache_line(void **state)
{
    (void)state;
    struct per_worker all = {{NULL}};
    for (unsigned i = 0; i < RELAY_WORKERS_MAX; i++) {
        uintptr_t block = (uintptr_t)per_worker_get(&all, i, 65);
        assert_int_equal(block % 64, 0);
        assert_ptr_equal(per_worker_get(&all, i, 65), (void *)block);
        assert_ptr_equal(per_worker_look(&all, i), (void *)block);
    }
    per_worker_deinit(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_has_one_name_and_no_other_has_it),
        cmocka_unit_test(a_rule_that_stays_goes_on_counting),
        cmocka_unit_test(the_blocks_of_workers_share_no_cache_line),
    };
    return cmocka_run_group_tests_name("relay/account", tests, NULL, NULL);
}
