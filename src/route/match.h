/* Which rule takes a request, and which of its backends a new stream: the semantics of the Gateway
 * API. Pure. */
#ifndef GRPCROUTE_ROUTE_MATCH_H
#define GRPCROUTE_ROUTE_MATCH_H

#include "h2/session.h"
#include "route/table.h"

enum route_outcome {
    ROUTE_E_NO_ROUTE = 1, /* UNIMPLEMENTED */
    ROUTE_E_REPEATED_HEADER =
        2,                 /* a header that rules look at occurs more than once: INVALID_ARGUMENT */
    ROUTE_E_UNDECIDED = 3, /* a regular expression reached its limits: INVALID_ARGUMENT */
    ROUTE_E_NO_HOST = 5,   /* UNIMPLEMENTED, too: the routes are for other hosts */
    ROUTE_E_HOST_UNKNOWN = 6, /* of an expectation only: hosts differ, and none was told */
    ROUTE_E_NO_BACKEND = 4,   /* the rule has no backend of weight above 0: UNAVAILABLE */
};

/* Finds the rule for a request's header block: matches are ORed, conditions in a match ANDed; among
 * those that match the most specific hostname wins, then the longest service, then the longest
 * method, then the most headers, then the oldest object, then its "namespace/name", then the first
 * rule; an Exact service or method goes before a RegularExpression. Returns 0, or an outcome; with
 * ROUTE_E_REPEATED_HEADER and ROUTE_E_UNDECIDED `ret_header` names the header (borrowed from the
 * table, or static). Never returns ROUTE_E_NO_BACKEND, which shows in route_rule_pick(), nor
 * ROUTE_E_NO_HOST, which is a ROUTE_E_NO_ROUTE here, nor ROUTE_E_HOST_UNKNOWN. */
int route_table_match(const struct route_table *table, const struct h2_block *request,
                      const struct route_rule **ret_rule, const char **ret_header);

/* Whether the request asks for a host that the routes are for. */
bool route_table_is_for(const struct route_table *table, const struct h2_block *request);

/* The backend for the `ticket`-th stream of a rule: shares are exact over as many tickets as the
 * weights sum up to, and spread evenly. Count the tickets of each rule apart: a counter that rules
 * share can step past a backend for ever. NULL when no backend has a weight (UNAVAILABLE). */
const struct route_backend *route_rule_pick(const struct route_rule *rule, uint64_t ticket);

#endif
