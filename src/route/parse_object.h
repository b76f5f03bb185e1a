/* One GRPCRoute. Inside route/ only. */
#ifndef GRPCROUTE_ROUTE_PARSE_OBJECT_H
#define GRPCROUTE_ROUTE_PARSE_OBJECT_H

#include "route/walk.h"

/* Adds it to the table. Items of a GRPCRouteList may leave out their kind. Returns 0, or 1 after a
 * complaint; what was added is freed with the table. */
int parse_object(struct walk *walk, const yaml_node_t *node, bool in_typed_list,
                 struct route_table *table);

#endif
