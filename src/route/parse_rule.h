/* spec.rules. Inside route/ only. */
#ifndef GRPCROUTE_ROUTE_PARSE_RULE_H
#define GRPCROUTE_ROUTE_PARSE_RULE_H

#include "route/walk.h"

/* The target is the struct route_table. */
walk_take_fn parse_rules;

#endif
