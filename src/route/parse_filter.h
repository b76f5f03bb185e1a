/* spec.rules[].filters: what changes the headers of requests and answers. Inside route/ only. */
#ifndef GRPCROUTE_ROUTE_PARSE_FILTER_H
#define GRPCROUTE_ROUTE_PARSE_FILTER_H

#include "route/walk.h"

/* The target is the struct route_rule. A header that is changed must be the user's own: not of
 * HTTP/2 or gRPC, not of one hop. */
walk_take_fn parse_filters;

#endif
