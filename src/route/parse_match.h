/* An item of spec.rules[].matches. Inside route/ only. */
#ifndef GRPCROUTE_ROUTE_PARSE_MATCH_H
#define GRPCROUTE_ROUTE_PARSE_MATCH_H

#include "route/walk.h"

/* The target is an empty struct route_match, freed with its table whatever comes. */
walk_take_fn parse_match;

#endif
