#include "route/walk.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_BYTES 80

int yaml_complain(struct yaml_walk *walk, const yaml_node_t *node, const char *format, ...)
{
    char text[ROUTE_ERROR_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    snprintf(walk->error->text, sizeof(walk->error->text), "%.100s:%zu: %s%s%.220s", walk->file,
             node->start_mark.line + 1, walk->path, walk->path_len > 0 ? ": " : "", text);
    return 1;
}

/* ---- path ------------------------------------------------------------------------------------ */

static size_t push(struct yaml_walk *walk, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends to the path; returns the length to go back to. */
static size_t push(struct yaml_walk *walk, const char *format, ...)
{
    size_t before = walk->path_len;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(walk->path + before, sizeof(walk->path) - before, format, args);
    va_end(args);
    walk->path_len = strlen(walk->path);
    (void)len;
    walk->depth++;
    return before;
}

static void pop(struct yaml_walk *walk, size_t before)
{
    walk->path_len = before;
    walk->path[before] = '\0';
    walk->depth--;
}

/* ---- mappings -------------------------------------------------------------------------------- */

static const char *shape_name(const yaml_node_t *node)
{
    switch (node->type) {
    case YAML_SCALAR_NODE:
        return "a scalar";
    case YAML_SEQUENCE_NODE:
        return "a list";
    case YAML_MAPPING_NODE:
        return "a mapping";
    default:
        return "nothing";
    }
}

static int complain_unknown(struct yaml_walk *walk, const yaml_node_t *key,
                            const struct yaml_field *fields)
{
    char shown[SHOWN_BYTES];
    char expected[160] = "";
    text_escape(shown, sizeof(shown), (const char *)key->data.scalar.value,
                key->data.scalar.length);
    for (const struct yaml_field *field = fields; field->key != NULL; field++) {
        size_t len = strlen(expected);
        snprintf(expected + len, sizeof(expected) - len, "%s%s", len > 0 ? ", " : "", field->key);
    }
    return yaml_complain(walk, key, "unknown field \"%s\"; expected one of %s", shown, expected);
}

static const struct yaml_field *find_field(const struct yaml_field *fields, const yaml_node_t *key)
{
    for (const struct yaml_field *field = fields; field->key != NULL; field++) {
        if (strlen(field->key) == key->data.scalar.length &&
            memcmp(field->key, key->data.scalar.value, key->data.scalar.length) == 0) {
            return field;
        }
    }
    return NULL;
}

static int take_pair(struct yaml_walk *walk, const yaml_node_pair_t *pair,
                     const struct yaml_field *fields, uint32_t *seen, void *target)
{
    const yaml_node_t *key = yaml_document_get_node(walk->document, pair->key);
    yaml_node_t *value = yaml_document_get_node(walk->document, pair->value);
    if (key->type != YAML_SCALAR_NODE) {
        return yaml_complain(walk, key, "a field name must be a scalar, not %s", shape_name(key));
    }
    const struct yaml_field *field = find_field(fields, key);
    if (field == NULL) {
        return complain_unknown(walk, key, fields);
    }
    uint32_t bit = UINT32_C(1) << (field - fields);
    if ((*seen & bit) != 0) {
        return yaml_complain(walk, key, "field \"%s\" is given twice", field->key);
    }
    *seen |= bit;
    size_t before = push(walk, "%s%s", walk->path_len > 0 ? "." : "", field->key);
    int rv = field->take != NULL
                 ? field->take(walk, value, target)
                 : yaml_complain(walk, key, "this field of GRPCRoute is not supported by grpcroute");
    pop(walk, before);
    return rv;
}

int yaml_take_mapping(struct yaml_walk *walk, yaml_node_t *node, const struct yaml_field *fields,
                      void *target)
{
    if (node->type != YAML_MAPPING_NODE) {
        return yaml_complain(walk, node, "expected a mapping, found %s", shape_name(node));
    }
    if (walk->depth > YAML_DEPTH_MAX) {
        return yaml_complain(walk, node, "nested too deeply");
    }
    uint32_t seen = 0;
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        if (take_pair(walk, pair, fields, &seen, target) != 0) {
            return 1;
        }
    }
    for (const struct yaml_field *field = fields; field->key != NULL; field++) {
        if (field->required && (seen & UINT32_C(1) << (field - fields)) == 0) {
            return yaml_complain(walk, node, "field \"%s\" is missing", field->key);
        }
    }
    return 0;
}

/* ---- the other shapes ------------------------------------------------------------------------ */

int yaml_take_sequence(struct yaml_walk *walk, yaml_node_t *node, size_t max,
                       int (*take)(struct yaml_walk *walk, yaml_node_t *node, void *target),
                       void *target)
{
    if (node->type != YAML_SEQUENCE_NODE) {
        return yaml_complain(walk, node, "expected a list, found %s", shape_name(node));
    }
    size_t count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    if (count > max) {
        return yaml_complain(walk, node, "%zu items; at most %zu are allowed", count, max);
    }
    for (size_t i = 0; i < count; i++) {
        size_t before = push(walk, "[%zu]", i);
        yaml_node_t *item =
            yaml_document_get_node(walk->document, node->data.sequence.items.start[i]);
        int rv = take(walk, item, target);
        pop(walk, before);
        if (rv != 0) {
            return 1;
        }
    }
    return 0;
}

const char *yaml_scalar(struct yaml_walk *walk, const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE) {
        yaml_complain(walk, node, "expected a text, found %s", shape_name(node));
        return NULL;
    }
    if (strlen((const char *)node->data.scalar.value) != node->data.scalar.length) {
        yaml_complain(walk, node, "text holds a NUL byte");
        return NULL;
    }
    return (const char *)node->data.scalar.value;
}

int yaml_take_number(struct yaml_walk *walk, const yaml_node_t *node, uint64_t min, uint64_t max,
                     uint64_t *ret)
{
    const char *text = yaml_scalar(walk, node);
    if (text == NULL) {
        return 1;
    }
    const char *reason;
    if (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE ||
        text_parse_u64(text, min, max, ret, &reason) != 0) {
        char shown[SHOWN_BYTES];
        text_escape(shown, sizeof(shown), text, strlen(text));
        return yaml_complain(walk, node, "\"%s\" is not a whole number from %llu to %llu", shown,
                             (unsigned long long)min, (unsigned long long)max);
    }
    return 0;
}

int yaml_take_anything(struct yaml_walk *walk, yaml_node_t *node, void *target)
{
    (void)walk;
    (void)node;
    (void)target;
    return 0;
}
