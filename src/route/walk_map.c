/* Mappings: each field to its function, merge keys included. */
#include "route/walk.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Names that share so many letters at their begin are near to each other. */
#define NEAR_LETTERS 5

/* How deep merge keys are followed for a single field. */
#define PEEK_DEPTH 3

static const char *scalar_value(const yaml_node_t *node)
{
    return (const char *)node->data.scalar.value;
}

static const yaml_node_t *node_at(const struct walk *walk, int index)
{
    return yaml_document_get_node(walk->document, index);
}

/* A plain "<<", or one that its tag makes a merge key. */
static bool is_merge_key(const yaml_node_t *key)
{
    return key->type == YAML_SCALAR_NODE && strcmp(scalar_value(key), "<<") == 0 &&
           (key->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ||
            strcmp((const char *)key->tag, "tag:yaml.org,2002:merge") == 0);
}

/* ---- unknown fields -------------------------------------------------------------------------- */

static bool is_near(const char *a, const char *b)
{
    size_t len = strlen(a);
    return text_distance(a, b) <= (len < 6 ? 2 : len / 3) || strncasecmp(a, b, NEAR_LETTERS) == 0;
}

/* One that may be a slip of the pen bears on the way of streams. */
static bool may_be_passed_over(const yaml_node_t *key, const struct walk_field *fields)
{
    const struct walk_field *field = fields;
    for (; field->key != NULL; field++) {
        if (is_near(scalar_value(key), field->key)) {
            return false;
        }
    }
    return field->take != NULL;
}

static int complain_unknown(struct walk *walk, const yaml_node_t *key,
                            const struct walk_field *fields)
{
    char shown[WALK_SHOWN_BYTES];
    char expected[300] = "";
    for (const struct walk_field *field = fields; field->key != NULL; field++) {
        size_t len = strlen(expected);
        snprintf(expected + len, sizeof(expected) - len, "%s %s", field == fields ? "" : ",",
                 field->key);
    }
    text_escape(shown, sizeof(shown), scalar_value(key), strlen(scalar_value(key)));
    static const char format[] = "\"%s\" is not a field; expected one of%s";
    return may_be_passed_over(key, fields) ? walk_pass_over(walk, key, format, shown, expected)
                                           : walk_complain(walk, key, format, shown, expected);
}

/* ---- fields ---------------------------------------------------------------------------------- */

/* Fields met so far, a bit for each. */
struct progress {
    uint32_t seen;
    uint32_t given; /* seen, and not null */
};

/* A mapping, and those that are merged into it. */
struct mapping {
    const struct walk_field *fields;
    void *target;
    struct progress progress;
};

static const struct walk_field *find_field(const struct walk_field *fields, const yaml_node_t *key)
{
    for (const struct walk_field *field = fields; field->key != NULL; field++) {
        if (strcmp(field->key, scalar_value(key)) == 0) {
            return field;
        }
    }
    return NULL;
}

static int take_value(struct walk *walk, const yaml_node_t *key, const yaml_node_t *value,
                      const struct walk_field *field, void *target)
{
    size_t before = walk_push(walk, "%s%s", walk->path[0] != '\0' ? "." : "", field->key);
    int rv = field->take != NULL ? field->take(walk, value, target)
                                 : walk_pass_over(walk, key,
                                                  "this field of GRPCRoute is not supported by "
                                                  "grpcroute");
    walk_pop(walk, before);
    return rv;
}

/* `level`: the fields met in the same mapping. */
static int take_pair(struct walk *walk, const yaml_node_pair_t *pair, struct mapping *mapping,
                     uint32_t *level)
{
    const yaml_node_t *key = node_at(walk, pair->key);
    const yaml_node_t *value = node_at(walk, pair->value);
    if (walk_check_scalar(walk, key, "the name of a field") != 0) {
        return 1;
    }
    const struct walk_field *field = find_field(mapping->fields, key);
    if (field == NULL) {
        return complain_unknown(walk, key, mapping->fields);
    }
    uint32_t bit = UINT32_C(1) << (field - mapping->fields);
    if ((*level & bit) != 0) {
        return walk_complain_text(walk, key, field->key, "is given twice");
    }
    *level |= bit;
    if ((mapping->progress.seen & bit) != 0 || walk_is_null(walk, value)) {
        return 0;
    }
    mapping->progress.given |= bit;
    return take_value(walk, key, value, field, mapping->target);
}

/* ---- merge keys ------------------------------------------------------------------------------ */

static int take_level(struct walk *walk, const yaml_node_t *node, struct mapping *mapping,
                      unsigned depth);

/* A mapping, or a list of mappings of which the first goes before the second. */
static int take_merged(struct walk *walk, const yaml_node_t *value, struct mapping *mapping,
                       unsigned depth)
{
    if (depth > WALK_MERGE_DEPTH_MAX || ++walk->merges > WALK_MERGES_MAX) {
        return walk_complain(walk, value, "too many merge keys (<<), or too deep in each other");
    }
    if (value->type == YAML_MAPPING_NODE) {
        return take_level(walk, value, mapping, depth);
    }
    if (value->type != YAML_SEQUENCE_NODE) {
        return walk_complain(walk, value, "<< takes a mapping or a list of them, found %s",
                             walk_shape(value));
    }
    int rv = 0;
    for (const yaml_node_item_t *item = value->data.sequence.items.start;
         rv == 0 && item < value->data.sequence.items.top; item++) {
        const yaml_node_t *merged = node_at(walk, *item);
        rv = merged->type == YAML_MAPPING_NODE
                 ? take_merged(walk, merged, mapping, depth)
                 : walk_complain(walk, merged,
                                 "<< takes a mapping or a list of them, found a list "
                                 "with %s in it",
                                 walk_shape(merged));
    }
    return rv;
}

/* The fields of the mapping itself go before those that it merges in. */
static int take_level(struct walk *walk, const yaml_node_t *node, struct mapping *mapping,
                      unsigned depth)
{
    const yaml_node_t *merge = NULL;
    uint32_t level = 0;
    int rv = 0;
    if (strcmp((const char *)node->tag, YAML_MAP_TAG) != 0) {
        return walk_complain_text(walk, node, (const char *)node->tag,
                                  "is a YAML tag that is not supported");
    }
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         rv == 0 && pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = node_at(walk, pair->key);
        if (!is_merge_key(key)) {
            rv = take_pair(walk, pair, mapping, &level);
        } else if (merge == NULL) {
            merge = node_at(walk, pair->value);
        } else {
            rv = walk_complain_text(walk, key, "<<", "is given twice");
        }
    }
    mapping->progress.seen |= level;
    return rv == 0 && merge != NULL ? take_merged(walk, merge, mapping, depth + 1) : rv;
}

int walk_mapping(struct walk *walk, const yaml_node_t *node, const struct walk_field *fields,
                 void *target)
{
    if (node->type != YAML_MAPPING_NODE) {
        return walk_complain(walk, node, "expected a mapping, found %s", walk_shape(node));
    }
    struct mapping mapping = {.fields = fields, .target = target};
    if (take_level(walk, node, &mapping, 0) != 0) {
        return 1;
    }
    for (const struct walk_field *field = fields; field->key != NULL; field++) {
        if (field->required && (mapping.progress.given & UINT32_C(1) << (field - fields)) == 0) {
            return walk_complain_text(walk, node, field->key, "is missing");
        }
    }
    return 0;
}

/* ---- single fields --------------------------------------------------------------------------- */

const yaml_node_t *walk_field_of(const struct walk *walk, const yaml_node_t *node, const char *key)
{
    if (node->type != YAML_MAPPING_NODE) {
        return NULL;
    }
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = node_at(walk, pair->key);
        if (name->type == YAML_SCALAR_NODE && strcmp(scalar_value(name), key) == 0) {
            return node_at(walk, pair->value);
        }
    }
    return NULL;
}

const char *walk_peek(const struct walk *walk, const yaml_node_t *node, const char *key)
{
    for (unsigned depth = 0; node != NULL && depth < PEEK_DEPTH; depth++) {
        const yaml_node_t *value = walk_field_of(walk, node, key);
        if (value != NULL) {
            return value->type == YAML_SCALAR_NODE ? scalar_value(value) : NULL;
        }
        node = walk_field_of(walk, node, "<<");
    }
    return NULL;
}

int walk_any_texts(struct walk *walk, const yaml_node_t *node, void *target)
{
    (void)target;
    if (node->type != YAML_MAPPING_NODE) {
        return walk_complain(walk, node, "expected a mapping, found %s", walk_shape(node));
    }
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = node_at(walk, pair->key);
        if (!is_merge_key(key) &&
            (walk_text(walk, key) == NULL || walk_text(walk, node_at(walk, pair->value)) == NULL)) {
            return 1;
        }
    }
    return 0;
}
