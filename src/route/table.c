#include "route/table.h"

#include "route/regex.h"

#include <stdio.h>
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

static void modifier_deinit(struct route_modifier *modifier)
{
    for (size_t i = 0; i < modifier->count; i++) {
        free(modifier->changes[i].name);
        free(modifier->changes[i].value);
    }
    free(modifier->changes);
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
    modifier_deinit(&rule->request);
    modifier_deinit(&rule->response);
    free(rule->name);
}

static void object_free(struct route_object *object)
{
    for (size_t i = 0; i < object->hostname_count; i++) {
        free(object->hostnames[i]);
    }
    free(object->name);
    free(object->namespace);
    free(object->id);
    free(object->created);
    free(object);
}

static void clusters_free(struct route_table *table)
{
    for (size_t i = 0; i < table->cluster_count; i++) {
        free(table->clusters[i].name);
        free(table->clusters[i].host);
    }
    free(table->clusters);
}

static void hosts_free(struct route_table *table)
{
    for (size_t i = 0; i < table->host_count; i++) {
        free(table->hosts[i].names);
        free(table->hosts[i].candidates);
    }
    free(table->hosts);
}

void route_table_free(struct route_table *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->rule_count; i++) {
        rule_deinit(&table->rules[i]);
    }
    free(table->rules);
    for (size_t i = 0; i < table->object_count; i++) {
        object_free(table->objects[i]);
    }
    for (size_t i = 0; i < table->notes.count; i++) {
        free(table->notes.texts[i]);
    }
    clusters_free(table);
    hosts_free(table);
    free(table->source);
    free(table);
}

const char *route_table_source(const struct route_table *table)
{
    return table->source;
}

bool route_table_has_modifiers(const struct route_table *table)
{
    for (size_t i = 0; i < table->rule_count; i++) {
        if (table->rules[i].request.count + table->rules[i].response.count > 0) {
            return true;
        }
    }
    return false;
}

void route_rule_label(const struct route_rule *rule, char out[static ROUTE_LABEL_BYTES])
{
    const struct route_object *object = rule->object;
    char place[24];
    snprintf(place, sizeof(place), "#%zu", object->order);
    const char *name = object->name != NULL ? object->id : place;
    name += name[0] == '/'; /* without a namespace */
    if (rule->name != NULL) {
        snprintf(out, ROUTE_LABEL_BYTES, "%s/%s", name, rule->name);
    } else {
        snprintf(out, ROUTE_LABEL_BYTES, "%s[%zu]", name, rule->number);
    }
}
