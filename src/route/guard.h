/* Refuses YAML that would cost too much to build as a tree. Inside route/ only; pure. */
#ifndef GRPCROUTE_ROUTE_GUARD_H
#define GRPCROUTE_ROUTE_GUARD_H

#include <stddef.h>

struct route_error;

/* A GRPCRoute at all limits of its CRD has 20 thousand nodes and nine levels. */
#define GUARD_NODES_MAX 100000
#define GUARD_DEPTH_MAX 32
/* libyaml compares each alias and anchor with all anchors before it. */
#define GUARD_ANCHORS_MAX 100

/* Reads all events of the text without keeping them. Returns 0, or 1 with the error: syntax, or a
 * limit passed. */
int guard_check(const char *bytes, size_t len, const char *name, struct route_error *ret_error);

#endif
