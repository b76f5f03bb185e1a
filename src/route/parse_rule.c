/* Rules: matches, filters and backends. */
#include "route/parse_rule.h"

#include "base/mem.h"
#include "base/text.h"
#include "route/names.h"
#include "route/parse_filter.h"
#include "route/parse_match.h"

#include <string.h>

/* A rule that is being read, and the object it is in. */
struct rule_draft {
    struct route_table *table;
    struct route_object *object; /* the table's last one */
    struct route_rule *rule;     /* likewise */
};

/* ---- backends -------------------------------------------------------------------------------- */

static int take_backend_name(struct walk *walk, const yaml_node_t *node, void *target)
{
    return walk_name(walk, node, names_is_label, NAMES_LABEL_EXPECTED,
                     &((struct route_backend *)target)->name);
}

static int take_backend_namespace(struct walk *walk, const yaml_node_t *node, void *target)
{
    return walk_name(walk, node, names_is_label, NAMES_LABEL_EXPECTED,
                     &((struct route_backend *)target)->namespace);
}

static int take_port(struct walk *walk, const yaml_node_t *node, void *target)
{
    uint64_t port = 0;
    int rv = walk_number(walk, node, 1, UINT16_MAX, &port);
    ((struct route_backend *)target)->port = (uint16_t)port;
    return rv;
}

static int take_weight(struct walk *walk, const yaml_node_t *node, void *target)
{
    uint64_t weight = 0;
    int rv = walk_number(walk, node, 0, ROUTE_WEIGHT_MAX, &weight);
    ((struct route_backend *)target)->weight = (uint32_t)weight;
    return rv;
}

static int take_constant(struct walk *walk, const yaml_node_t *node, const char *constant,
                         const char *complaint)
{
    const char *text = walk_text(walk, node);
    if (text == NULL) {
        return 1;
    }
    char shown[WALK_SHOWN_BYTES];
    text_escape(shown, sizeof(shown), text, strlen(text));
    return strcmp(text, constant) == 0 ? 0
                                       : walk_pass_over(walk, node, "\"%s\" %s", shown, complaint);
}

static int take_backend_kind(struct walk *walk, const yaml_node_t *node, void *target)
{
    (void)target;
    return take_constant(walk, node, "Service", "is not supported by grpcroute; expected Service");
}

static int take_backend_group(struct walk *walk, const yaml_node_t *node, void *target)
{
    (void)target;
    return take_constant(walk, node, "",
                         "is not supported by grpcroute; expected \"\", the group of Service");
}

static int take_backend(struct walk *walk, const yaml_node_t *node, void *target)
{
    static const struct walk_field fields[] = {
        {"name", take_backend_name, true},  {"port", take_port, true},
        {"weight", take_weight, false},     {"namespace", take_backend_namespace, false},
        {"kind", take_backend_kind, false}, {"group", take_backend_group, false},
        {"filters", NULL, false},           WALK_END_OPEN,
    };
    struct route_rule *rule = target;
    struct route_backend *backend = &rule->backends[rule->backend_count++];
    backend->weight = 1;
    return walk_mapping(walk, node, fields, backend);
}

static int take_backends(struct walk *walk, const yaml_node_t *node, void *target)
{
    return walk_sequence(walk, node, ROUTE_BACKENDS_MAX, take_backend,
                         ((struct rule_draft *)target)->rule);
}

/* ---- rules ----------------------------------------------------------------------------------- */

static int take_rule_name(struct walk *walk, const yaml_node_t *node, void *target)
{
    const struct rule_draft *draft = target;
    if (walk_name(walk, node, names_is_subdomain, NAMES_SUBDOMAIN_EXPECTED, &draft->rule->name) !=
        0) {
        return 1;
    }
    for (const struct route_rule *other = draft->rule - draft->rule->number; other < draft->rule;
         other++) {
        if (other->name != NULL && strcmp(other->name, draft->rule->name) == 0) {
            return walk_complain_text(walk, node, other->name,
                                      "is the name of another rule already");
        }
    }
    return 0;
}

static int take_match(struct walk *walk, const yaml_node_t *node, void *target)
{
    const struct rule_draft *draft = target;
    if (draft->object->match_count == ROUTE_MATCHES_TOTAL_MAX) {
        return walk_complain(walk, node, "all rules together may have at most %d matches",
                             ROUTE_MATCHES_TOTAL_MAX);
    }
    draft->object->match_count++;
    return parse_match(walk, node, &draft->rule->matches[draft->rule->match_count++]);
}

static int take_matches(struct walk *walk, const yaml_node_t *node, void *target)
{
    const struct rule_draft *draft = target;
    draft->rule->matches = mem_calloc(ROUTE_MATCHES_MAX, sizeof(*draft->rule->matches));
    return walk_sequence(walk, node, ROUTE_MATCHES_MAX, take_match, target);
}

static int take_filters(struct walk *walk, const yaml_node_t *node, void *target)
{
    return parse_filters(walk, node, ((struct rule_draft *)target)->rule);
}

static struct route_rule *add_rule(struct route_table *table, struct route_object *object)
{
    table->rules = mem_realloc(table->rules, (table->rule_count + 1) * sizeof(*table->rules));
    struct route_rule *rule = &table->rules[table->rule_count++];
    *rule = (struct route_rule){.object = object, .number = object->rule_count++};
    return rule;
}

static int take_rule(struct walk *walk, const yaml_node_t *node, void *target)
{
    static const struct walk_field fields[] = {
        {"name", take_rule_name, false},       {"matches", take_matches, false},
        {"backendRefs", take_backends, false}, {"filters", take_filters, false},
        {"sessionPersistence", NULL, false},   WALK_END_OPEN,
    };
    struct route_table *table = target;
    struct route_object *object = table->objects[table->object_count - 1];
    if (table->rule_count == ROUTE_RULES_TOTAL_MAX) {
        return walk_complain(walk, node, "all GRPCRoutes of a file may have at most %d rules",
                             ROUTE_RULES_TOTAL_MAX);
    }
    struct rule_draft draft = {table, object, add_rule(table, object)};
    return walk_mapping(walk, node, fields, &draft);
}

int parse_rules(struct walk *walk, const yaml_node_t *node, void *target)
{
    const struct route_table *table = target;
    if (walk_sequence(walk, node, ROUTE_RULES_MAX, take_rule, target) != 0) {
        return 1;
    }
    return table->objects[table->object_count - 1]->rule_count > 0
               ? 0
               : walk_complain(walk, node, "expected 1 to %d rules, found none", ROUTE_RULES_MAX);
}
