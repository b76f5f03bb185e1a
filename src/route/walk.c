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

int walk_pass_over(struct walk *walk, const yaml_node_t *node, const char *format, ...)
{
    char text[WALK_SHOWN_BYTES + 400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    int rv = walk_complain(walk, node, "%s", text);
    struct route_notes *notes = walk->notes;
    if (notes == NULL) {
        return rv;
    }
    if (notes->count < ROUTE_NOTES_MAX) {
        notes->texts[notes->count++] = mem_strdup(walk->error->text);
    } else {
        notes->more++;
    }
    walk->error->text[0] = '\0';
    return 0;
}

int walk_complain_text(struct walk *walk, const yaml_node_t *node, const char *text,
                       const char *what)
{
    char shown[WALK_SHOWN_BYTES];
    text_escape(shown, sizeof(shown), text, strlen(text));
    return walk_complain(walk, node, "\"%s\" %s", shown, what);
}

/* ---- path ------------------------------------------------------------------------------------ */

size_t walk_push(struct walk *walk, const char *format, ...)
{
    size_t before = strlen(walk->path);
    va_list args;
    va_start(args, format);
    vsnprintf(walk->path + before, sizeof(walk->path) - before, format, args);
    va_end(args);
    return before;
}

void walk_pop(struct walk *walk, size_t before)
{
    walk->path[before] = '\0';
}

/* ---- scalars --------------------------------------------------------------------------------- */

const char *walk_shape(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE     ? "a scalar"
           : node->type == YAML_SEQUENCE_NODE ? "a list"
                                              : "a mapping";
}

static const char *scalar_value(const yaml_node_t *node)
{
    return (const char *)node->data.scalar.value;
}

static const struct {
    const char *tag;
    enum scalar_type type;
} TAGS[] = {
    {YAML_INT_TAG, SCALAR_NUMBER},
    {YAML_FLOAT_TAG, SCALAR_NUMBER},
    {YAML_BOOL_TAG, SCALAR_BOOLEAN},
    {YAML_NULL_TAG, SCALAR_NULL},
};

static bool has_known_tag(const yaml_node_t *node)
{
    for (size_t i = 0; i < ARRAY_SIZE(TAGS); i++) {
        if (strcmp((const char *)node->tag, TAGS[i].tag) == 0) {
            return true;
        }
    }
    return strcmp((const char *)node->tag, YAML_STR_TAG) == 0;
}

/* In quotes, as a block, or by its tag. */
static bool is_said_to_be_text(const struct walk *walk, const yaml_node_t *node)
{
    return strcmp((const char *)node->tag, YAML_STR_TAG) == 0 &&
           (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE ||
            guard_marks_have(walk->marks, node->start_mark.index));
}

static enum scalar_type scalar_type(const struct walk *walk, const yaml_node_t *node)
{
    for (size_t i = 0; i < ARRAY_SIZE(TAGS); i++) {
        if (strcmp((const char *)node->tag, TAGS[i].tag) == 0) {
            return TAGS[i].type;
        }
    }
    return is_said_to_be_text(walk, node) ? SCALAR_TEXT : scalar_type_of(scalar_value(node));
}

bool walk_is_null(const struct walk *walk, const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE && scalar_type(walk, node) == SCALAR_NULL;
}

int walk_check_scalar(struct walk *walk, const yaml_node_t *node, const char *expected)
{
    if (node->type != YAML_SCALAR_NODE) {
        return walk_complain(walk, node, "expected %s, found %s", expected, walk_shape(node));
    }
    if (!has_known_tag(node)) {
        return walk_complain_text(walk, node, (const char *)node->tag,
                                  "is a YAML tag that is not supported");
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
    if (walk_check_scalar(walk, node, "a text") != 0) {
        return NULL;
    }
    enum scalar_type type = scalar_type(walk, node);
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
    if (walk_check_scalar(walk, node, "a number") != 0) {
        return 1;
    }
    const char *reason;
    char what[100];
    if (is_said_to_be_text(walk, node)) {
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

/* ---- the other shapes ------------------------------------------------------------------------ */

int walk_sequence(struct walk *walk, const yaml_node_t *node, size_t max, walk_take_fn *take,
                  void *target)
{
    if (node->type != YAML_SEQUENCE_NODE) {
        return walk_complain(walk, node, "expected a list, found %s", walk_shape(node));
    }
    if (strcmp((const char *)node->tag, YAML_SEQ_TAG) != 0) {
        return walk_complain_text(walk, node, (const char *)node->tag,
                                  "is a YAML tag that is not supported");
    }
    const yaml_node_item_t *items = node->data.sequence.items.start;
    size_t count = (size_t)(node->data.sequence.items.top - items);
    if (count > max) {
        return walk_complain(walk, node, "%zu items; at most %zu are allowed", count, max);
    }
    for (size_t i = 0; i < count; i++) {
        size_t before = walk_push(walk, "[%zu]", i);
        int rv = take(walk, yaml_document_get_node(walk->document, items[i]), target);
        walk_pop(walk, before);
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

int walk_anything(struct walk *walk, const yaml_node_t *node, void *target)
{
    (void)walk;
    (void)node;
    (void)target;
    return 0;
}
