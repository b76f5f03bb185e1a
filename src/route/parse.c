/* From YAML to a route table: documents, metadata and spec. Each function takes one part;
 * complaints carry the line and the path. */
#include "route/parse.h"

#include "base/mem.h"
#include "route/derive.h"
#include "route/guard.h"
#include "route/names.h"
#include "route/parse_rule.h"
#include "route/walk.h"

#include <stdio.h>
#include <string.h>

#define GROUP       "gateway.networking.k8s.io"
#define API_VERSION GROUP "/v1"

/* ---- metadata -------------------------------------------------------------------------------- */

static int take_name(struct walk *walk, const yaml_node_t *node, void *target)
{
    return walk_name(walk, node, names_is_subdomain, NAMES_SUBDOMAIN_EXPECTED,
                     &((struct route_table *)target)->name);
}

static int take_namespace(struct walk *walk, const yaml_node_t *node, void *target)
{
    return walk_name(walk, node, names_is_label, NAMES_LABEL_EXPECTED,
                     &((struct route_table *)target)->namespace);
}

static int take_metadata(struct walk *walk, const yaml_node_t *node, void *target)
{
    static const struct walk_field fields[] = {
        {"name", take_name, false},
        {"namespace", take_namespace, false},
        {"labels", walk_any_texts, false},
        {"annotations", walk_any_texts, false},
        /* What `kubectl get -o yaml` adds. */
        {"creationTimestamp", walk_anything, false},
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
        {NULL, NULL, false},
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
        {NULL, NULL, false},
    };
    return walk_mapping(walk, node, fields, target);
}

static int take_parents(struct walk *walk, const yaml_node_t *node, void *target)
{
    return walk_sequence(walk, node, ROUTE_PARENTS_MAX, take_parent, target);
}

static int take_hostname(struct walk *walk, const yaml_node_t *node, void *target)
{
    struct route_table *table = target;
    return walk_name(walk, node, names_is_hostname,
                     "is not a host name; expected lower case labels, the first may be \"*\"",
                     &table->hostnames[table->hostname_count++]);
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
        {NULL, NULL, false},
    };
    return walk_mapping(walk, node, fields, target);
}

/* ---- documents ------------------------------------------------------------------------------- */

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

static int take_route(struct walk *walk, const yaml_node_t *root, struct route_table *table)
{
    static const struct walk_field fields[] = {
        {"apiVersion", take_api_version, true}, {"kind", walk_any_text, true},
        {"metadata", take_metadata, false},     {"spec", take_spec, true},
        {"status", walk_anything, false},       {NULL, NULL, false},
    };
    if (walk_mapping(walk, root, fields, table) != 0) {
        return 1;
    }
    return route_derive(table) == 0
               ? 0
               : walk_complain(walk, root, "the rules match on more than %d different headers",
                               ROUTE_HEADER_NAMES_MAX);
}

/* The document's `kind`, or NULL. */
static const char *kind_of(yaml_document_t *document, const yaml_node_t *root)
{
    if (root->type != YAML_MAPPING_NODE) {
        return NULL;
    }
    for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start;
         pair < root->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(document, pair->key);
        const yaml_node_t *value = yaml_document_get_node(document, pair->value);
        if (key->type == YAML_SCALAR_NODE && value->type == YAML_SCALAR_NODE &&
            strcmp((const char *)key->data.scalar.value, "kind") == 0) {
            return (const char *)value->data.scalar.value;
        }
    }
    return NULL;
}

static int take_document(struct walk *walk, const yaml_node_t *root, struct route_table *table)
{
    if (walk_is_null(root)) { /* nothing between two "---" */
        return 0;
    }
    const char *kind = kind_of(walk->document, root);
    if (kind == NULL) {
        return walk_complain(walk, root, "not a Kubernetes object: field \"kind\" is missing");
    }
    if (strcmp(kind, "GRPCRoute") != 0) {
        return 0;
    }
    if (table->rule_count > 0) {
        return walk_complain(walk, root, "a second GRPCRoute; exactly one is expected");
    }
    return take_route(walk, root, table);
}

static int complain_file(struct route_error *error, const char *name, const char *what)
{
    snprintf(error->text, sizeof(error->text), "%.300s: %s", name, what);
    return 1;
}

static int take_documents(yaml_parser_t *parser, const char *name, struct route_table *table,
                          struct route_error *error)
{
    for (;;) {
        yaml_document_t document;
        if (!yaml_parser_load(parser, &document)) { /* the syntax was checked: an unknown alias */
            snprintf(error->text, sizeof(error->text), "%.300s:%zu: not YAML: %s", name,
                     parser->problem_mark.line + 1,
                     parser->problem != NULL ? parser->problem : "no memory");
            return 1;
        }
        const yaml_node_t *root = yaml_document_get_root_node(&document);
        struct walk walk = {.document = &document, .file = name, .error = error};
        int rv = root != NULL ? take_document(&walk, root, table) : 0;
        yaml_document_delete(&document);
        if (rv != 0 || root == NULL) { /* no root: the end of the file */
            return rv;
        }
    }
}

int route_table_parse(const char *bytes, size_t len, const char *name, struct route_table **ret,
                      struct route_error *ret_error)
{
    yaml_parser_t parser;
    if (len > ROUTE_FILE_BYTES) {
        return complain_file(ret_error, name, "larger than 1 MiB");
    }
    if (guard_check(bytes, len, name, ret_error) != 0) {
        return 1;
    }
    if (!yaml_parser_initialize(&parser)) {
        return complain_file(ret_error, name, "no memory");
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, len);
    struct route_table *table = mem_new(struct route_table);
    int rv = take_documents(&parser, name, table, ret_error);
    yaml_parser_delete(&parser);
    if (rv == 0 && table->rule_count == 0) {
        rv = complain_file(ret_error, name, "no GRPCRoute in this file");
    }
    if (rv != 0) {
        route_table_free(table);
        return 1;
    }
    table->source = mem_strndup(bytes, len);
    *ret = table;
    return 0;
}
