#include "route/table.h"

#include "base/mem.h"
#include "route/regex.h"

#include <stdio.h>
#include <stdlib.h>

extern const unsigned char route_default_yaml[];
extern const size_t route_default_yaml_len;

static void pattern_deinit(struct route_pattern *pattern)
{
    free(pattern->value);
    route_regex_free(pattern->regex);
}

static void match_deinit(struct route_match *match)
{
    pattern_deinit(&match->service);
    pattern_deinit(&match->method);
    for (size_t i = 0; i < match->header_count; i++) {
        free(match->headers[i].name);
        pattern_deinit(&match->headers[i].pattern);
    }
}

static void rule_deinit(struct route_rule *rule)
{
    for (size_t i = 0; i < rule->match_count; i++) {
        match_deinit(&rule->matches[i]);
    }
    free(rule->matches);
    for (size_t i = 0; i < rule->backend_count; i++) {
        free(rule->backends[i].name);
    }
    free(rule->name);
}

void route_table_free(struct route_table *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->rule_count; i++) {
        rule_deinit(&table->rules[i]);
    }
    for (size_t i = 0; i < table->hostname_count; i++) {
        free(table->hostnames[i]);
    }
    free(table->source);
    free(table);
}

struct route_table *route_table_default(void)
{
    struct route_table *table;
    struct route_error error;
    if (route_table_parse((const char *)route_default_yaml, route_default_yaml_len, "built-in",
                          &table, &error) != 0) {
        fprintf(stderr, "%s\n", error.text);
        abort(); /* our own file is broken */
    }
    return table;
}

const char *route_table_source(const struct route_table *table)
{
    return table->source;
}
