#include "route/guard.h"

#include "route/table.h"

#include <stdbool.h>
#include <stdio.h>
#include <yaml.h>

struct counts {
    size_t nodes;
    size_t anchors;
    size_t depth;
};

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
                        struct route_error *error)
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
        yaml_event_delete(&event);
        if (too_much != NULL) {
            return complain(error, name, line, too_much);
        }
    }
    return 0;
}

int guard_check(const char *bytes, size_t len, const char *name, struct route_error *ret_error)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        return complain(ret_error, name, 1, "no memory");
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, len);
    int rv = check_events(&parser, bytes, len, name, ret_error);
    yaml_parser_delete(&parser);
    return rv;
}
