/* Refuses YAML that would cost too much to build as a tree. Inside route/ only; pure. */
#ifndef GRPCROUTE_ROUTE_GUARD_H
#define GRPCROUTE_ROUTE_GUARD_H

#include <stdbool.h>
#include <stddef.h>

struct route_error;

/* Where scalars begin that the tag !!str makes texts: the tree that libyaml builds does not tell
 * them from plain ones. In the order of the file, in characters. */
struct guard_marks {
    size_t *at; /* owned */
    size_t count;
};

void guard_marks_free(struct guard_marks *marks);
bool guard_marks_have(const struct guard_marks *marks, size_t at);

/* A GRPCRoute at all limits of its CRD has 20 thousand nodes and nine levels. */
#define GUARD_NODES_MAX 100000
#define GUARD_DEPTH_MAX 32
/* libyaml compares each alias and anchor with all anchors before it. */
#define GUARD_ANCHORS_MAX 100

/* Reads all events of the text without keeping them. Returns 0, or 1 with the error: syntax, or a
 * limit passed. `marks`, empty before, is to be freed either way. */
int guard_check(const char *bytes, size_t len, const char *name, struct guard_marks *marks,
                struct route_error *ret_error);

#endif
