/* Which rule takes a request, and which of its backends a new stream: the semantics of the Gateway API. Pure. */
#ifndef GRPCROUTE_ROUTE_MATCH_H
#define GRPCROUTE_ROUTE_MATCH_H

#include "h2/session.h"
#include "route/table.h"

enum route_outcome {
    ROUTE_E_NO_ROUTE = 1,        /* UNIMPLEMENTED */
    ROUTE_E_REPEATED_HEADER = 2, /* a header that rules look at occurs more than once: INVALID_ARGUMENT */
};

/* Finds the rule for a request's header block: matches are ORed, conditions in a match ANDed; among those that match the longest service
 * wins, then the longest method, then the most headers, then the first rule. Returns 0, or an outcome; with ROUTE_E_REPEATED_HEADER
 * `ret_header` names the header (borrowed from the table). */
int route_table_match(const struct route_table *table, const struct h2_block *request,
                      const struct route_rule **ret_rule, const char **ret_header);

/* The backend for the `ticket`-th stream of a rule: shares are exact over as many tickets as the weights sum up to, and spread evenly.
 * NULL when no backend has a weight (UNAVAILABLE). */
const struct route_backend *route_rule_pick(const struct route_rule *rule, uint64_t ticket);

#endif
