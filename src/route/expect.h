/* What the routes promise about an agent: for checks. Pure. */
#ifndef GRPCROUTE_ROUTE_EXPECT_H
#define GRPCROUTE_ROUTE_EXPECT_H

#include "route/match.h"
#include "route/table.h"

#include <stdbool.h>
#include <stddef.h>

/* Values of agent-version that one request of a check may carry. */
#define ROUTE_EXPECT_VALUES_MAX 8

struct route_expectation {
    int outcome;                   /* 0, or enum route_outcome: no server will answer */
    const struct route_rule *rule; /* outcome 0 and ROUTE_E_NO_BACKEND; borrowed from the table */
};

/* Which rule takes a call of `path` to `authority` with these values of the header `name` (at most
 * ROUTE_EXPECT_VALUES_MAX): none, one, or a header that is repeated. Without an authority the
 * stream asks for a host that the routes are for; where these lead to different backends the
 * outcome is ROUTE_E_HOST_UNKNOWN. */
struct route_expectation route_expect(const struct route_table *table, const char *path,
                                      const char *authority, const char *name,
                                      const char *const *values, size_t count);

/* The version in a backend's name: what follows its last "-v" if that is a number ("server-v1"
 * gives "v1"). Returns false when there is none. */
bool route_backend_version(const char *name, char out[static ROUTE_VERSION_BYTES]);

/* The server versions that may answer the rule's streams, each once: those in the names of its
 * backends of weight above 0, that is what follows the last "-v" if it is a number. Returns how
 * many; 0 when one of those names carries no version, so that nothing can be said about who
 * answers. */
size_t route_rule_versions(const struct route_rule *rule,
                           char out[static ROUTE_BACKENDS_MAX][ROUTE_VERSION_BYTES]);

#endif
