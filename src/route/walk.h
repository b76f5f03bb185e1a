/* Walking a YAML document with a path and line numbers for complaints (libyaml's document tree).
 * Inside route/ only. */
#ifndef GRPCROUTE_ROUTE_WALK_H
#define GRPCROUTE_ROUTE_WALK_H

#include "route/table.h"

#include <stdbool.h>
#include <stdint.h>
#include <yaml.h>

#define WALK_PATH_BYTES 200
/* Bytes of a value that a complaint shows, escaped; longer is cut. */
#define WALK_SHOWN_BYTES 100

struct walk {
    yaml_document_t *document; /* borrowed */
    const char *file;          /* borrowed; for complaints */
    struct route_error *error; /* borrowed; filled by a complaint */
    char path[WALK_PATH_BYTES];
};

/* Takes a value. Returns 0, or 1 after a complaint. */
typedef int walk_take_fn(struct walk *walk, const yaml_node_t *node, void *target);

/* What a mapping may hold. */
struct walk_field {
    const char *key;
    walk_take_fn *take; /* NULL: the field is part of GRPCRoute, but not supported here */
    bool required;
};

/* Complains about `node`: file, line, path and the text. Returns 1, so that callers can return it.
 */
int walk_complain(struct walk *walk, const yaml_node_t *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Complains that a text is not what it should be: "TEXT" `what`. Returns 1. */
int walk_complain_text(struct walk *walk, const yaml_node_t *node, const char *text,
                       const char *what);

/* Hands each field of a mapping to its function; unknown, repeated and missing fields are
 * complaints. A field that is null counts as missing, as in Kubernetes. `fields` ends with a NULL
 * key and has at most 32 entries. */
int walk_mapping(struct walk *walk, const yaml_node_t *node, const struct walk_field *fields,
                 void *target);

/* Calls `take` for each item of a sequence of at most `max`. */
int walk_sequence(struct walk *walk, const yaml_node_t *node, size_t max, walk_take_fn *take,
                  void *target);

/* The text of a scalar (borrowed from the document), or NULL after a complaint: numbers and
 * booleans are no texts without quotes, since Kubernetes would refuse them. */
const char *walk_text(struct walk *walk, const yaml_node_t *node);

/* A text that is a name by `is_valid`, copied to `*ret` (owned); `what` completes the complaint. */
int walk_name(struct walk *walk, const yaml_node_t *node, bool (*is_valid)(const char *name),
              const char *what, char **ret);

/* A whole decimal number in [min, max], without quotes. */
int walk_number(struct walk *walk, const yaml_node_t *node, uint64_t min, uint64_t max,
                uint64_t *ret);

/* For fields that mean nothing to routing: a text; a mapping from texts to texts; anything of any
 * shape. */
walk_take_fn walk_any_text;
walk_take_fn walk_any_texts;
walk_take_fn walk_anything;

/* True for a plain null ("null", "~" or nothing at all). */
bool walk_is_null(const yaml_node_t *node);

#endif
