/* From YAML to a route table: the documents of a file, and the items of lists in it. */
#include "route/parse.h"

#include "base/mem.h"
#include "base/text.h"
#include "route/derive.h"
#include "route/guard.h"
#include "route/parse_object.h"
#include "route/walk.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define KIND "GRPCRoute"

/* Objects looked at, and Lists in each other: aliases make many of few. */
#define OBJECTS_MAX    10000
#define LIST_DEPTH_MAX 3
/* Slips of the pen that still mean GRPCRoute. */
#define KIND_EDITS 2

/* What a file held. */
struct reading {
    struct route_table *table;
    size_t objects; /* of any kind, lists included */
    size_t other_kinds;
    char others[200]; /* the first of them, with their lines */
};

static int take_anything(struct walk *walk, const yaml_node_t *node, struct reading *reading,
                         bool in_typed_list, unsigned depth);

/* ---- lists ----------------------------------------------------------------------------------- */

struct list_draft {
    struct reading *reading;
    bool typed; /* a GRPCRouteList, whose items need not say their kind */
    unsigned depth;
};

static int take_item(struct walk *walk, const yaml_node_t *node, void *target)
{
    const struct list_draft *draft = target;
    return take_anything(walk, node, draft->reading, draft->typed, draft->depth + 1);
}

static int take_items(struct walk *walk, const yaml_node_t *node, void *target)
{
    return walk_sequence(walk, node, OBJECTS_MAX, take_item, target);
}

static int take_list(struct walk *walk, const yaml_node_t *node, struct list_draft *draft)
{
    static const struct walk_field fields[] = {
        {"apiVersion", walk_any_text, false},
        {"kind", walk_any_text, true},
        {"metadata", walk_anything, false},
        {"items", take_items, false},
        WALK_END_OPEN,
    };
    if (draft->depth == LIST_DEPTH_MAX) {
        return walk_complain(walk, node, "Lists too deep in each other");
    }
    return walk_mapping(walk, node, fields, draft);
}

/* ---- objects --------------------------------------------------------------------------------- */

/* It may be anything, a private key, too: what is known is told, and nothing else shown. */
static int complain_text(struct walk *walk, const yaml_node_t *node)
{
    const char *text = (const char *)node->data.scalar.value;
    const char *what = strncmp(text, "-----BEGIN ", 11) == 0 ? "a certificate or key (PEM)"
                       : strncmp(text, "No resources found", 18) == 0
                           ? "\"No resources found\", which kubectl says"
                           : "a text";
    return walk_complain(walk, node, "%s, not a Kubernetes object", what);
}

static int complain_no_object(struct walk *walk, const yaml_node_t *node)
{
    if (node->type == YAML_SCALAR_NODE) {
        return complain_text(walk, node);
    }
    return walk_complain(walk, node,
                         node->type == YAML_SEQUENCE_NODE
                             ? "not a Kubernetes object, but a list; expected kind: List with items"
                             : "not a Kubernetes object: field \"kind\" is missing");
}

static void note_other(struct reading *reading, const yaml_node_t *node, const char *kind)
{
    char shown[60];
    size_t len = strlen(reading->others);
    text_escape(shown, sizeof(shown), kind, strlen(kind));
    int more = snprintf(NULL, 0, ", %s at line %zu", shown, node->start_mark.line + 1);
    reading->other_kinds++;
    if (len + (size_t)more < sizeof(reading->others)) {
        snprintf(reading->others + len, sizeof(reading->others) - len, "%s%s at line %zu",
                 len > 0 ? ", " : "", shown, node->start_mark.line + 1);
    }
}

static bool is_meant_as(const char *kind, const char *known)
{
    return strcasecmp(kind, known) == 0 || text_distance(kind, known) <= KIND_EDITS;
}

static int take_kind(struct walk *walk, const yaml_node_t *node, const char *kind,
                     struct reading *reading, unsigned depth)
{
    bool typed = strcmp(kind, KIND "List") == 0;
    struct list_draft list = {reading, typed, depth};
    if (typed || strcmp(kind, "List") == 0) {
        return take_list(walk, node, &list);
    }
    if (strcmp(kind, KIND) == 0) {
        return parse_object(walk, node, false, reading->table);
    }
    if (is_meant_as(kind, KIND) || is_meant_as(kind, KIND "List") ||
        strcasecmp(kind, "List") == 0) {
        const yaml_node_t *value = walk_field_of(walk, node, "kind");
        return walk_complain_text(walk, value != NULL ? value : node, kind,
                                  "is no kind of the Gateway API; is " KIND " meant?");
    }
    note_other(reading, node, kind);
    return 0;
}

static int take_anything(struct walk *walk, const yaml_node_t *node, struct reading *reading,
                         bool in_typed_list, unsigned depth)
{
    if (walk_is_null(walk, node)) { /* nothing between two "---" */
        return 0;
    }
    if (++reading->objects > OBJECTS_MAX) {
        return walk_complain(walk, node, "more than %d objects in this file", OBJECTS_MAX);
    }
    const char *kind = walk_peek(walk, node, "kind");
    if (kind != NULL) {
        return take_kind(walk, node, kind, reading, depth);
    }
    if (in_typed_list && node->type == YAML_MAPPING_NODE) {
        return parse_object(walk, node, true, reading->table);
    }
    return complain_no_object(walk, node);
}

/* ---- files ----------------------------------------------------------------------------------- */

static int complain_file(struct route_error *error, const char *name, const char *what)
{
    snprintf(error->text, sizeof(error->text), "%.300s: %s", name, what);
    return 1;
}

static int complain_nothing(struct route_error *error, const char *name,
                            const struct reading *reading)
{
    char what[300];
    const char *more = strlen(reading->others) > 0 && reading->other_kinds > 3 ? " and others" : "";
    if (reading->other_kinds > 0) {
        snprintf(what, sizeof(what), "no " KIND " in this file, but %s%s", reading->others, more);
    } else {
        snprintf(what, sizeof(what), "no " KIND " in this file: %s",
                 reading->objects > 0 ? "its List has no items" : "it is empty");
    }
    return complain_file(error, name, what);
}

static int take_documents(yaml_parser_t *parser, const struct walk *begin, struct reading *reading)
{
    for (;;) {
        yaml_document_t document;
        if (!yaml_parser_load(parser, &document)) { /* the syntax was checked: an unknown alias */
            snprintf(begin->error->text, sizeof(begin->error->text), "%.300s:%zu: not YAML: %s",
                     begin->file, parser->problem_mark.line + 1,
                     parser->problem != NULL ? parser->problem : "no memory");
            return 1;
        }
        const yaml_node_t *root = yaml_document_get_root_node(&document);
        struct walk walk = *begin;
        walk.document = &document;
        int rv = root != NULL ? take_anything(&walk, root, reading, false, 0) : 0;
        yaml_document_delete(&document);
        if (rv != 0 || root == NULL) { /* no root: the end of the file */
            return rv;
        }
    }
}

static int take_text(const char *bytes, size_t len, const struct walk *begin,
                     struct reading *reading)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        return complain_file(begin->error, begin->file, "no memory");
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, len);
    int rv = take_documents(&parser, begin, reading);
    yaml_parser_delete(&parser);
    if (rv == 0 && reading->table->object_count == 0) {
        rv = complain_nothing(begin->error, begin->file, reading);
    }
    return rv;
}

static int parse(const char *bytes, size_t len, const char *name, bool for_checks,
                 struct route_table *table, struct route_error *ret_error)
{
    struct guard_marks marks = {0};
    struct reading reading = {.table = table};
    const struct walk begin = {.marks = &marks,
                               .file = name,
                               .error = ret_error,
                               .notes = for_checks ? &table->notes : NULL};
    int rv = guard_check(bytes, len, name, &marks, ret_error);
    if (rv == 0) {
        rv = take_text(bytes, len, &begin, &reading);
    }
    guard_marks_free(&marks);
    const char *too_much = rv == 0 ? route_derive(table) : NULL;
    return too_much != NULL ? complain_file(ret_error, name, too_much) : rv;
}

static int read_table(const char *bytes, size_t len, const char *name, bool for_checks,
                      struct route_table **ret, struct route_error *ret_error)
{
    if (len > ROUTE_FILE_BYTES) {
        return complain_file(ret_error, name, "larger than 1 MiB");
    }
    struct route_table *table = mem_new(struct route_table);
    if (parse(bytes, len, name, for_checks, table, ret_error) != 0) {
        route_table_free(table);
        return 1;
    }
    table->source = mem_strndup(bytes, len);
    *ret = table;
    return 0;
}

int route_table_parse(const char *bytes, size_t len, const char *name, struct route_table **ret,
                      struct route_error *ret_error)
{
    return read_table(bytes, len, name, false, ret, ret_error);
}

int route_table_parse_for_checks(const char *bytes, size_t len, const char *name,
                                 struct route_table **ret, struct route_error *ret_error)
{
    return read_table(bytes, len, name, true, ret, ret_error);
}
