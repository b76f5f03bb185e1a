#include "route/guard.h"

#include "base/mem.h"
#include "route/table.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct counts {
    size_t nodes;
    size_t anchors;
    size_t depth;
};

/* ---- marks ----------------------------------------------------------------------------------- */

void guard_marks_free(struct guard_marks *marks)
{
    free(marks->at);
    *marks = (struct guard_marks){0};
}

static int compare_marks(const void *a, const void *b)
{
    size_t at_a = *(const size_t *)a;
    size_t at_b = *(const size_t *)b;
    return at_a < at_b ? -1 : at_a > at_b;
}

bool guard_marks_have(const struct guard_marks *marks, size_t at)
{
    return marks->count > 0 &&
           bsearch(&at, marks->at, marks->count, sizeof(*marks->at), compare_marks) != NULL;
}

static void note_mark(struct guard_marks *marks, const yaml_event_t *event)
{
    const char *tag =
        event->type == YAML_SCALAR_EVENT ? (const char *)event->data.scalar.tag : NULL;
    if (tag == NULL || strcmp(tag, YAML_STR_TAG) != 0) {
        return;
    }
    if ((marks->count & (marks->count - 1)) == 0) { /* full: it doubles */
        size_t capacity = marks->count > 0 ? 2 * marks->count : 1;
        marks->at = mem_realloc(marks->at, capacity * sizeof(*marks->at));
    }
    marks->at[marks->count++] = event->start_mark.index;
}

/* ---- limits ---------------------------------------------------------------------------------- */

/* The line of the problem, from 1. The reader of bytes knows only an offset. */
static size_t problem_line(const yaml_parser_t *parser, const char *bytes, size_t len)
{
    if (parser->error != YAML_READER_ERROR) {
        return parser->problem_mark.line + 1;
    }
    size_t line = 1;
    for (size_t i = 0; i < len && i < parser->problem_offset; i++) {
        line += bytes[i] == '\n';
    }
    return line;
}

static int complain(struct route_error *error, const char *name, size_t line, const char *what)
{
    snprintf(error->text, sizeof(error->text), "%.300s:%zu: %s", name, line, what);
    return 1;
}

static int complain_syntax(const yaml_parser_t *parser, const char *bytes, size_t len,
                           const char *name, struct route_error *error)
{
    char what[200];
    snprintf(what, sizeof(what), "not YAML: %s",
             parser->problem != NULL ? parser->problem : "no memory");
    return complain(error, name, problem_line(parser, bytes, len), what);
}

/* Counts the event. Returns NULL, or what is too much. */
static const char *count_event(struct counts *counts, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        counts->nodes++;
        break;
    case YAML_SCALAR_EVENT:
        counts->nodes++;
        counts->anchors += event->data.scalar.anchor != NULL;
        break;
    case YAML_SEQUENCE_START_EVENT:
        counts->nodes++;
        counts->depth++;
        counts->anchors += event->data.sequence_start.anchor != NULL;
        break;
    case YAML_MAPPING_START_EVENT:
        counts->nodes++;
        counts->depth++;
        counts->anchors += event->data.mapping_start.anchor != NULL;
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        counts->depth--;
        break;
    default:
        break;
    }
    return counts->nodes > GUARD_NODES_MAX       ? "too many values in this file"
           : counts->depth > GUARD_DEPTH_MAX     ? "nested too deeply"
           : counts->anchors > GUARD_ANCHORS_MAX ? "too many anchors in this file"
                                                 : NULL;
}

static int check_events(yaml_parser_t *parser, const char *bytes, size_t len, const char *name,
                        struct guard_marks *marks, struct route_error *error)
{
    struct counts counts = {0};
    for (bool end = false; !end;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            return complain_syntax(parser, bytes, len, name, error);
        }
        end = event.type == YAML_STREAM_END_EVENT;
        size_t line = event.start_mark.line + 1;
        const char *too_much = count_event(&counts, &event);
        note_mark(marks, &event);
        yaml_event_delete(&event);
        if (too_much != NULL) {
            return complain(error, name, line, too_much);
        }
    }
    return 0;
}

int guard_check(const char *bytes, size_t len, const char *name, struct guard_marks *marks,
                struct route_error *ret_error)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        return complain(ret_error, name, 1, "no memory");
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, len);
    int rv = check_events(&parser, bytes, len, name, marks, ret_error);
    yaml_parser_delete(&parser);
    return rv;
}
