/* The parts of a GRPCRoute document. Inside route/ only; each takes a node as walk_take_fn says. */
#ifndef GRPCROUTE_ROUTE_PARSE_H
#define GRPCROUTE_ROUTE_PARSE_H

#include "route/walk.h"

/* spec.rules; the target is the struct route_table. */
walk_take_fn parse_rules;

/* An item of spec.rules[].matches; the target is an empty struct route_match, freed with its table
 * whatever comes. */
walk_take_fn parse_match;

/* A text that is a name by `is_valid`, copied to `*ret` (owned); `what` completes the complaint. */
int parse_name(struct walk *walk, const yaml_node_t *node, bool (*is_valid)(const char *name),
               const char *what, char **ret);

#define PARSE_LABEL_EXPECTED                                                                       \
    "is not a name of at most 63 lower case letters, digits and '-', with a letter or digit at "   \
    "both ends"
#define PARSE_SUBDOMAIN_EXPECTED                                                                   \
    "is not a name of lower case letters, digits, '-' and '.', with a letter or digit at both "    \
    "ends"

#endif
