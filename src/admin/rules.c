#include "admin/rules.h"

#include "admin/text.h"
#include "base/buf.h"
#include "relay/account.h"
#include "relay/routing.h"

#include <cJSON.h>

static void add_condition(struct buf *text, const char *what, const struct route_pattern *pattern)
{
    if (pattern->value != NULL) {
        admin_printf(text, "%s%s %s %s", text->len > 0 ? ", " : "", what,
                     pattern->regex != NULL ? "matches" : "is", pattern->value);
    }
}

/* "method is PingPong, agent-version matches v2\..*": all of it must be so. */
static void add_match(const struct route_match *match, cJSON *array)
{
    struct buf text = {0};
    add_condition(&text, "service", &match->service);
    add_condition(&text, "method", &match->method);
    for (size_t i = 0; i < match->header_count; i++) {
        add_condition(&text, match->headers[i].name, &match->headers[i].pattern);
    }
    if (text.len == 0) {
        admin_printf(&text, "anything");
    }
    if (buf_append(&text, "", 1, SIZE_MAX) == 0) {
        cJSON_AddItemToArray(array, cJSON_CreateString((const char *)buf_data(&text)));
    }
    buf_deinit(&text);
}

static void add_backends(const struct route_rule *rule, cJSON *array)
{
    for (size_t i = 0; i < rule->backend_count; i++) {
        const struct route_backend *backend = &rule->backends[i];
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "cluster",
                                backend->cluster != NULL ? backend->cluster->name : backend->name);
        cJSON_AddNumberToObject(object, "weight", backend->weight);
        cJSON_AddItemToArray(array, object);
    }
}

static void add_rule(const struct routing *routing, size_t index, cJSON *array)
{
    const struct route_rule *rule = &routing->table->rules[index];
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "route", rule->object->id);
    cJSON_AddNumberToObject(object, "rule", (double)rule->number);
    if (rule->name != NULL) {
        cJSON_AddStringToObject(object, "name", rule->name);
    }
    cJSON *hostnames = cJSON_AddArrayToObject(object, "hostnames");
    for (size_t i = 0; i < rule->object->hostname_count; i++) {
        cJSON_AddItemToArray(hostnames, cJSON_CreateString(rule->object->hostnames[i]));
    }
    cJSON *matches = cJSON_AddArrayToObject(object, "matches");
    for (size_t i = 0; i < rule->match_count; i++) {
        add_match(&rule->matches[i], matches);
    }
    add_backends(rule, cJSON_AddArrayToObject(object, "backends"));
    cJSON_AddNumberToObject(object, "streams",
                            (double)atomic_load(&routing->accounts[index]->streams_total));
    cJSON_AddItemToArray(array, object);
}

void admin_rules_json(const struct routing *routing, cJSON *array)
{
    for (size_t i = 0; i < routing->table->rule_count; i++) {
        add_rule(routing, i, array);
    }
}
