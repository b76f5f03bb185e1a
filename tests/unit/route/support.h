/* Shared by the tests of route/: tables from YAML, requests from a few words. */
#ifndef GRPCROUTE_TESTS_ROUTE_SUPPORT_H
#define GRPCROUTE_TESTS_ROUTE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "h2/session.h"
#include "route/match.h"
#include "route/parse.h"
#include "route/table.h"

#include <stdio.h>
#include <string.h>

#define HEAD  "apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\n" /* lines 1 and 2 */
#define RULES HEAD "spec:\n  rules:\n"                                      /* lines 3 and 4 */
#define PING  "/ping.PingService/PingPong"

#define FIELDS_MAX 100

/* Pairs of name and value, ended by NULL. */
#define FIELDS(...)                                                                                \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static inline struct route_table *parse(const char *yaml)
{
    struct route_table *table = NULL;
    struct route_error error = {{0}};
    if (route_table_parse(yaml, strlen(yaml), "routes.yaml", &table, &error) != 0) {
        fail_msg("%s", error.text);
    }
    return table;
}

/* The outcome for a request with these fields, pseudo-header fields included. */
static inline int decide(const struct route_table *table, const char *const *pairs,
                         const struct route_rule **ret_rule, const char **ret_header)
{
    struct h2_header fields[FIELDS_MAX];
    struct h2_block block = {fields, 0};
    for (; pairs[0] != NULL; pairs += 2) {
        assert_true(block.count < FIELDS_MAX);
        fields[block.count++] = H2_HEADER(pairs[0], pairs[1]);
    }
    return route_table_match(table, &block, ret_rule, ret_header);
}

/* The first backend of the rule for the request, or the outcome in words. */
static inline const char *reached(const struct route_table *table, const char *const *pairs)
{
    const struct route_rule *rule = NULL;
    const char *header = NULL;
    switch (decide(table, pairs, &rule, &header)) {
    case 0:
        return rule->backends[0].name;
    case ROUTE_E_NO_ROUTE:
        return "no route";
    case ROUTE_E_REPEATED_HEADER:
        return "repeated";
    case ROUTE_E_UNDECIDED:
        return "undecided";
    default:
        return "?";
    }
}

#endif
