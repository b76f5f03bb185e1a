/* One GRPCRoute: metadata and spec. */
#include "route/parse_object.h"

#include "base/mem.h"
#include "route/names.h"
#include "route/parse_rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API_VERSION "gateway.networking.k8s.io/v1"

/* The one that is being read. */
static struct route_object *last_object(void *table)
{
    struct route_table *of = table;
    return of->objects[of->object_count - 1];
}

/* ---- metadata -------------------------------------------------------------------------------- */

static int take_name(struct walk *walk, const yaml_node_t *node, void *target)
{
    return walk_name(walk, node, names_is_subdomain, NAMES_SUBDOMAIN_EXPECTED,
                     &last_object(target)->name);
}

static int take_namespace(struct walk *walk, const yaml_node_t *node, void *target)
{
    return walk_name(walk, node, names_is_label, NAMES_LABEL_EXPECTED,
                     &last_object(target)->namespace);
}

/* RFC 3339 in UTC, whole seconds, as Kubernetes writes it. */
static bool is_time(const char *text)
{
    static const char pattern[] = "0000-00-00T00:00:00Z";
    size_t i = 0;
    for (; pattern[i] != '\0' && text[i] != '\0'; i++) {
        bool fits = pattern[i] == '0' ? text[i] >= '0' && text[i] <= '9' : text[i] == pattern[i];
        if (!fits) {
            return false;
        }
    }
    return pattern[i] == '\0' && text[i] == '\0';
}

static int take_created(struct walk *walk, const yaml_node_t *node, void *target)
{
    return walk_name(walk, node, is_time, "is not a time such as 2026-01-31T12:00:00Z",
                     &last_object(target)->created);
}

static int take_metadata(struct walk *walk, const yaml_node_t *node, void *target)
{
    static const struct walk_field fields[] = {
        {"name", take_name, false},
        {"namespace", take_namespace, false},
        {"labels", walk_any_texts, false},
        {"annotations", walk_any_texts, false},
        /* What `kubectl get -o yaml` adds. */
        {"creationTimestamp", take_created, false},
        {"deletionGracePeriodSeconds", walk_anything, false},
        {"deletionTimestamp", walk_anything, false},
        {"finalizers", walk_anything, false},
        {"generateName", walk_anything, false},
        {"generation", walk_anything, false},
        {"managedFields", walk_anything, false},
        {"ownerReferences", walk_anything, false},
        {"resourceVersion", walk_anything, false},
        {"selfLink", walk_anything, false},
        {"uid", walk_anything, false},
        WALK_END_OPEN,
    };
    return walk_mapping(walk, node, fields, target);
}

/* ---- spec ------------------------------------------------------------------------------------ */

static int take_parent_port(struct walk *walk, const yaml_node_t *node, void *target)
{
    (void)target;
    uint64_t port;
    return walk_number(walk, node, 1, UINT16_MAX, &port);
}

static int take_parent(struct walk *walk, const yaml_node_t *node, void *target)
{
    static const struct walk_field fields[] = {
        {"group", walk_any_text, false},
        {"kind", walk_any_text, false},
        {"namespace", walk_any_text, false},
        {"name", walk_any_text, true},
        {"sectionName", walk_any_text, false},
        {"port", take_parent_port, false},
        WALK_END_OPEN,
    };
    return walk_mapping(walk, node, fields, target);
}

static int take_parents(struct walk *walk, const yaml_node_t *node, void *target)
{
    return walk_sequence(walk, node, ROUTE_PARENTS_MAX, take_parent, target);
}

static int take_hostname(struct walk *walk, const yaml_node_t *node, void *target)
{
    struct route_object *object = last_object(target);
    return walk_name(walk, node, names_is_hostname,
                     "is not a host name; expected lower case labels, the first may be \"*\"",
                     &object->hostnames[object->hostname_count++]);
}

static int take_hostnames(struct walk *walk, const yaml_node_t *node, void *target)
{
    return walk_sequence(walk, node, ROUTE_HOSTNAMES_MAX, take_hostname, target);
}

static int take_spec(struct walk *walk, const yaml_node_t *node, void *target)
{
    static const struct walk_field fields[] = {
        {"parentRefs", take_parents, false},
        {"useDefaultGateways", walk_any_text, false},
        {"hostnames", take_hostnames, false},
        {"rules", parse_rules, true},
        WALK_END_OPEN,
    };
    return walk_mapping(walk, node, fields, target);
}

/* ---- the object ------------------------------------------------------------------------------ */

static int take_api_version(struct walk *walk, const yaml_node_t *node, void *target)
{
    (void)target;
    const char *text = walk_text(walk, node);
    if (text == NULL) {
        return 1;
    }
    return strcmp(text, API_VERSION) == 0
               ? 0
               : walk_complain_text(walk, node, text,
                                    "is not supported by grpcroute; expected " API_VERSION);
}

static char *make_id(const struct route_object *object)
{
    const char *namespace = object->namespace != NULL ? object->namespace : "";
    const char *name = object->name != NULL ? object->name : "";
    size_t bytes = strlen(namespace) + strlen(name) + 2;
    char *id = mem_calloc(1, bytes);
    snprintf(id, bytes, "%s/%s", namespace, name);
    return id;
}

/* A name is given once, as in a cluster; objects without one are all new. */
static int check_id(struct walk *walk, const yaml_node_t *node, const struct route_table *table)
{
    const struct route_object *object = table->objects[table->object_count - 1];
    for (size_t i = 0; object->name != NULL && i + 1 < table->object_count; i++) {
        if (strcmp(table->objects[i]->id, object->id) == 0) {
            return walk_complain_text(walk, node, object->id + (object->id[0] == '/'),
                                      "is the name of another GRPCRoute of this file");
        }
    }
    return 0;
}

int parse_object(struct walk *walk, const yaml_node_t *node, bool in_typed_list,
                 struct route_table *table)
{
    static const struct walk_field whole[] = {
        {"apiVersion", take_api_version, true}, {"kind", walk_any_text, true},
        {"metadata", take_metadata, false},     {"spec", take_spec, true},
        {"status", walk_anything, false},       WALK_END_OPEN,
    };
    static const struct walk_field item[] = {
        {"apiVersion", take_api_version, false}, {"kind", walk_any_text, false},
        {"metadata", take_metadata, false},      {"spec", take_spec, true},
        {"status", walk_anything, false},        WALK_END_OPEN,
    };
    if (table->object_count == ROUTE_OBJECTS_MAX) {
        return walk_complain(walk, node, "more than %d GRPCRoutes in this file", ROUTE_OBJECTS_MAX);
    }
    struct route_object *object = mem_new(struct route_object);
    object->order = table->object_count;
    table->objects[table->object_count++] = object;
    int rv = walk_mapping(walk, node, in_typed_list ? item : whole, table);
    object->id = make_id(object);
    return rv != 0 ? rv : check_id(walk, node, table);
}
