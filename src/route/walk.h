/* Walking a YAML document with a path and line numbers for complaints (libyaml's document tree). Inside route/ only. */
#ifndef GRPCROUTE_ROUTE_WALK_H
#define GRPCROUTE_ROUTE_WALK_H

#include "route/table.h"

#include <stdbool.h>
#include <stdint.h>
#include <yaml.h>

#define YAML_PATH_BYTES 200
/* Deeper nesting is refused; a GRPCRoute needs nine levels. */
#define YAML_DEPTH_MAX 32

struct yaml_walk {
    yaml_document_t *document; /* borrowed */
    const char *file;          /* borrowed; for complaints */
    struct route_error *error; /* borrowed; filled by the first complaint */
    char path[YAML_PATH_BYTES];
    size_t path_len;
    unsigned depth;
};

/* What a mapping may hold. */
struct yaml_field {
    const char *key;
    /* Takes the value; NULL: the field is part of GRPCRoute, but not supported here. Returns 0 or 1 after a complaint. */
    int (*take)(struct yaml_walk *walk, yaml_node_t *node, void *target);
    bool required;
};

/* Complains about `node`: file, line, path and the text. Returns 1, so that callers can return it. */
int yaml_complain(struct yaml_walk *walk, const yaml_node_t *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Hands each field of a mapping to its function; unknown, repeated and missing fields are complaints. `fields` ends with a NULL key. */
int yaml_take_mapping(struct yaml_walk *walk, yaml_node_t *node, const struct yaml_field *fields,
                      void *target);

/* Calls `take` for each item of a sequence of at most `max`. */
int yaml_take_sequence(struct yaml_walk *walk, yaml_node_t *node, size_t max,
                       int (*take)(struct yaml_walk *walk, yaml_node_t *node, void *target),
                       void *target);

/* The text of a scalar, or NULL after a complaint. */
const char *yaml_scalar(struct yaml_walk *walk, const yaml_node_t *node);
/* A whole number in [min, max]. */
int yaml_take_number(struct yaml_walk *walk, const yaml_node_t *node, uint64_t min, uint64_t max,
                     uint64_t *ret);
/* Anything of any shape, for fields that mean nothing to routing. */
int yaml_take_anything(struct yaml_walk *walk, yaml_node_t *node, void *target);

#endif
