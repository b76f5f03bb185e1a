#include "route/table.h"

#include "route/regex.h"

#include <stdlib.h>

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
        free(rule->backends[i].namespace);
    }
    free(rule->name);
}

static void clusters_free(struct route_table *table)
{
    for (size_t i = 0; i < table->cluster_count; i++) {
        free(table->clusters[i].name);
        free(table->clusters[i].host);
    }
    free(table->clusters);
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
    clusters_free(table);
    free(table->candidates);
    free(table->name);
    free(table->namespace);
    free(table->source);
    free(table);
}

const char *route_table_source(const struct route_table *table)
{
    return table->source;
}
