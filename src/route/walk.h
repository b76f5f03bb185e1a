/* Walking a YAML document with a path and line numbers for complaints (libyaml's document tree).
 * Inside route/ only. */
#ifndef GRPCROUTE_ROUTE_WALK_H
#define GRPCROUTE_ROUTE_WALK_H

#include "route/guard.h"
#include "route/table.h"

#include <stdbool.h>
#include <stdint.h>
#include <yaml.h>

#define WALK_PATH_BYTES 200
/* Bytes of a value that a complaint shows, escaped; longer is cut. */
#define WALK_SHOWN_BYTES 100

struct walk {
    yaml_document_t *document;       /* borrowed */
    const struct guard_marks *marks; /* borrowed; texts by their tag */
    const char *file;                /* borrowed; for complaints */
    struct route_error *error;       /* borrowed; filled by a complaint */
    struct route_notes *notes;       /* borrowed; NULL: nothing is passed over */
    size_t merges;                   /* mappings merged into others so far */
    char path[WALK_PATH_BYTES];
};

/* Merge keys ("<<") of a document, and how deep they may lie in each other: each costs a walk. */
#define WALK_MERGES_MAX      1000
#define WALK_MERGE_DEPTH_MAX 8

/* Takes a value. Returns 0, or 1 after a complaint. */
typedef int walk_take_fn(struct walk *walk, const yaml_node_t *node, void *target);

/* What a mapping may hold. */
struct walk_field {
    const char *key;
    walk_take_fn *take; /* NULL: the field is part of GRPCRoute, but not supported here */
    bool required;
};

/* What ends a list of fields. After WALK_END_OPEN fields that nobody knows bear on no stream's way,
 * unless their names are near to one that is known. */
#define WALK_END                                                                                   \
    {                                                                                              \
        NULL, NULL, false                                                                          \
    }
#define WALK_END_OPEN                                                                              \
    {                                                                                              \
        NULL, walk_anything, false                                                                 \
    }

/* Complains about `node`: file, line, path and the text. Returns 1, so that callers can return it.
 */
int walk_complain(struct walk *walk, const yaml_node_t *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Complains that a text is not what it should be: "TEXT" `what`. Returns 1. */
int walk_complain_text(struct walk *walk, const yaml_node_t *node, const char *text,
                       const char *what);

/* What bears on no stream's way and is not supported: a note where notes are taken, else a
 * complaint. Returns 0 or 1. */
int walk_pass_over(struct walk *walk, const yaml_node_t *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Hands each field of a mapping to its function; unknown, repeated and missing fields are
 * complaints. A field that is null counts as missing, as in Kubernetes. Fields that "<<" merges in
 * fill the gaps. `fields` ends with WALK_END or WALK_END_OPEN and has at most 32 entries. */
int walk_mapping(struct walk *walk, const yaml_node_t *node, const struct walk_field *fields,
                 void *target);

/* Calls `take` for each item of a sequence of at most `max`. */
int walk_sequence(struct walk *walk, const yaml_node_t *node, size_t max, walk_take_fn *take,
                  void *target);

/* The text of a field of a mapping, also a merged one; NULL when it is none. */
const char *walk_peek(const struct walk *walk, const yaml_node_t *node, const char *key);
/* The value of a field of a mapping itself, or NULL. */
const yaml_node_t *walk_field_of(const struct walk *walk, const yaml_node_t *node, const char *key);

/* The text of a scalar (borrowed from the document), or NULL after a complaint: numbers and
 * booleans are no texts without quotes or the tag !!str, since Kubernetes would refuse them. */
const char *walk_text(struct walk *walk, const yaml_node_t *node);

/* A text that is a name by `is_valid`, copied to `*ret` (owned); `what` completes the complaint. */
int walk_name(struct walk *walk, const yaml_node_t *node, bool (*is_valid)(const char *name),
              const char *what, char **ret);

/* A whole decimal number in [min, max], without quotes or with the tag !!int. */
int walk_number(struct walk *walk, const yaml_node_t *node, uint64_t min, uint64_t max,
                uint64_t *ret);

/* For fields that mean nothing to routing: a text; a mapping from texts to texts; anything of any
 * shape. */
walk_take_fn walk_any_text;
walk_take_fn walk_any_texts;
walk_take_fn walk_anything;

/* Appends to the path; returns the length that walk_pop() goes back to. */
size_t walk_push(struct walk *walk, const char *format, ...) __attribute__((format(printf, 2, 3)));
void walk_pop(struct walk *walk, size_t before);

/* "a scalar", "a list", "a mapping". */
const char *walk_shape(const yaml_node_t *node);
/* 0 when the node is a scalar without NUL, else 1 after a complaint that `expected` it. */
int walk_check_scalar(struct walk *walk, const yaml_node_t *node, const char *expected);

/* True for a plain null ("null", "~" or nothing at all). */
bool walk_is_null(const struct walk *walk, const yaml_node_t *node);

#endif
