#include "route/walk.h"

#include "base/mem.h"
#include "base/text.h"
#include "route/scalar.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int walk_complain(struct walk *walk, const yaml_node_t *node, const char *format, ...)
{
    char text[WALK_SHOWN_BYTES + 400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    snprintf(walk->error->text, sizeof(walk->error->text), "%.300s:%zu: %s%s%s", walk->file,
             node->start_mark.line + 1, walk->path, walk->path[0] != '\0' ? ": " : "", text);
    return 1;
}

int walk_complain_text(struct walk *walk, const yaml_node_t *node, const char *text,
                       const char *what)
{
    char shown[WALK_SHOWN_BYTES];
    text_escape(shown, sizeof(shown), text, strlen(text));
    return walk_complain(walk, node, "\"%s\" %s", shown, what);
}

/* ---- path ------------------------------------------------------------------------------------ */

static size_t push(struct walk *walk, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends to the path; returns the length to go back to. */
static size_t push(struct walk *walk, const char *format, ...)
{
    size_t before = strlen(walk->path);
    va_list args;
    va_start(args, format);
    vsnprintf(walk->path + before, sizeof(walk->path) - before, format, args);
    va_end(args);
    return before;
}

static void pop(struct walk *walk, size_t before)
{
    walk->path[before] = '\0';
}

/* ---- scalars --------------------------------------------------------------------------------- */

static const char *shape_name(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE     ? "a scalar"
           : node->type == YAML_SEQUENCE_NODE ? "a list"
                                              : "a mapping";
}

static const char *scalar_value(const yaml_node_t *node)
{
    return (const char *)node->data.scalar.value;
}

static enum scalar_type scalar_type(const yaml_node_t *node)
{
    return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? scalar_type_of(scalar_value(node))
                                                              : SCALAR_TEXT;
}

bool walk_is_null(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE && scalar_type(node) == SCALAR_NULL;
}

/* Complains unless `node` is a scalar without tag and NUL. Returns 0 or 1. */
static int check_scalar(struct walk *walk, const yaml_node_t *node, const char *expected)
{
    if (node->type != YAML_SCALAR_NODE) {
        return walk_complain(walk, node, "expected %s, found %s", expected, shape_name(node));
    }
    if (strcmp((const char *)node->tag, YAML_STR_TAG) != 0) {
        return walk_complain_text(walk, node, (const char *)node->tag,
                                  "is a YAML tag; tags are not supported");
    }
    if (strlen(scalar_value(node)) != node->data.scalar.length) {
        return walk_complain(walk, node, "the text holds a NUL byte");
    }
    return 0;
}

const char *walk_text(struct walk *walk, const yaml_node_t *node)
{
    static const char *const hints[] = {
        [SCALAR_NULL] = "is null; expected a text",
        [SCALAR_BOOLEAN] = "is a boolean; put it in quotes to make it a text",
        [SCALAR_NUMBER] = "is a number; put it in quotes to make it a text",
    };
    if (check_scalar(walk, node, "a text") != 0) {
        return NULL;
    }
    enum scalar_type type = scalar_type(node);
    if (type != SCALAR_TEXT) {
        walk_complain_text(walk, node, scalar_value(node), hints[type]);
        return NULL;
    }
    return scalar_value(node);
}

int walk_name(struct walk *walk, const yaml_node_t *node, bool (*is_valid)(const char *name),
              const char *what, char **ret)
{
    const char *text = walk_text(walk, node);
    if (text == NULL) {
        return 1;
    }
    if (!is_valid(text)) {
        return walk_complain_text(walk, node, text, what);
    }
    *ret = mem_strdup(text);
    return 0;
}

int walk_number(struct walk *walk, const yaml_node_t *node, uint64_t min, uint64_t max,
                uint64_t *ret)
{
    if (check_scalar(walk, node, "a number") != 0) {
        return 1;
    }
    const char *reason;
    char what[100];
    if (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) {
        return walk_complain_text(walk, node, scalar_value(node),
                                  "is a text; expected a number without quotes");
    }
    if (text_parse_u64(scalar_value(node), min, max, ret, &reason) != 0) {
        snprintf(what, sizeof(what), "is not a whole number from %llu to %llu",
                 (unsigned long long)min, (unsigned long long)max);
        return walk_complain_text(walk, node, scalar_value(node), what);
    }
    return 0;
}

/* ---- mappings -------------------------------------------------------------------------------- */

static int complain_unknown(struct walk *walk, const yaml_node_t *key,
                            const struct walk_field *fields)
{
    char what[300] = "is not a field; expected one of";
    for (const struct walk_field *field = fields; field->key != NULL; field++) {
        size_t len = strlen(what);
        snprintf(what + len, sizeof(what) - len, "%s %s", field == fields ? "" : ",", field->key);
    }
    return walk_complain_text(walk, key, scalar_value(key), what);
}

static const struct walk_field *find_field(const struct walk_field *fields, const yaml_node_t *key)
{
    for (const struct walk_field *field = fields; field->key != NULL; field++) {
        if (strcmp(field->key, scalar_value(key)) == 0) {
            return field;
        }
    }
    return NULL;
}

/* Fields met so far, a bit for each. */
struct progress {
    uint32_t seen;
    uint32_t given; /* seen, and not null */
};

static int take_pair(struct walk *walk, const yaml_node_pair_t *pair,
                     const struct walk_field *fields, struct progress *progress, void *target)
{
    const yaml_node_t *key = yaml_document_get_node(walk->document, pair->key);
    const yaml_node_t *value = yaml_document_get_node(walk->document, pair->value);
    if (check_scalar(walk, key, "the name of a field") != 0) {
        return 1;
    }
    const struct walk_field *field = find_field(fields, key);
    if (field == NULL) {
        return complain_unknown(walk, key, fields);
    }
    uint32_t bit = UINT32_C(1) << (field - fields);
    if ((progress->seen & bit) != 0) {
        return walk_complain_text(walk, key, field->key, "is given twice");
    }
    progress->seen |= bit;
    if (walk_is_null(value)) {
        return 0;
    }
    progress->given |= bit;
    size_t before = push(walk, "%s%s", walk->path[0] != '\0' ? "." : "", field->key);
    int rv = field->take != NULL ? field->take(walk, value, target)
                                 : walk_complain(walk, key,
                                                 "this field of GRPCRoute is not supported by "
                                                 "grpcroute");
    pop(walk, before);
    return rv;
}

int walk_mapping(struct walk *walk, const yaml_node_t *node, const struct walk_field *fields,
                 void *target)
{
    if (node->type != YAML_MAPPING_NODE) {
        return walk_complain(walk, node, "expected a mapping, found %s", shape_name(node));
    }
    struct progress progress = {0};
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        if (take_pair(walk, pair, fields, &progress, target) != 0) {
            return 1;
        }
    }
    for (const struct walk_field *field = fields; field->key != NULL; field++) {
        if (field->required && (progress.given & UINT32_C(1) << (field - fields)) == 0) {
            return walk_complain_text(walk, node, field->key, "is missing");
        }
    }
    return 0;
}

/* ---- the other shapes ------------------------------------------------------------------------ */

int walk_sequence(struct walk *walk, const yaml_node_t *node, size_t max, walk_take_fn *take,
                  void *target)
{
    if (node->type != YAML_SEQUENCE_NODE) {
        return walk_complain(walk, node, "expected a list, found %s", shape_name(node));
    }
    const yaml_node_item_t *items = node->data.sequence.items.start;
    size_t count = (size_t)(node->data.sequence.items.top - items);
    if (count > max) {
        return walk_complain(walk, node, "%zu items; at most %zu are allowed", count, max);
    }
    for (size_t i = 0; i < count; i++) {
        size_t before = push(walk, "[%zu]", i);
        int rv = take(walk, yaml_document_get_node(walk->document, items[i]), target);
        pop(walk, before);
        if (rv != 0) {
            return 1;
        }
    }
    return 0;
}

int walk_any_text(struct walk *walk, const yaml_node_t *node, void *target)
{
    (void)target;
    return walk_text(walk, node) == NULL;
}

int walk_any_texts(struct walk *walk, const yaml_node_t *node, void *target)
{
    (void)target;
    if (node->type != YAML_MAPPING_NODE) {
        return walk_complain(walk, node, "expected a mapping, found %s", shape_name(node));
    }
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        if (walk_text(walk, yaml_document_get_node(walk->document, pair->key)) == NULL ||
            walk_text(walk, yaml_document_get_node(walk->document, pair->value)) == NULL) {
            return 1;
        }
    }
    return 0;
}

int walk_anything(struct walk *walk, const yaml_node_t *node, void *target)
{
    (void)walk;
    (void)node;
    (void)target;
    return 0;
}
