/* What the routes promise about an agent: for checks. Pure. */
#ifndef GRPCROUTE_ROUTE_EXPECT_H
#define GRPCROUTE_ROUTE_EXPECT_H

#include "route/match.h"
#include "route/table.h"

#include <stdbool.h>
#include <stddef.h>

#define ROUTE_VERSION_BYTES 16

struct route_expectation {
    int outcome; /* 0, or enum route_outcome */
    const struct route_rule *rule; /* outcome 0; borrowed from the table */
};

/* Which rule takes a PingPong stream with these agent-version values: none, one, or a header that is repeated. */
struct route_expectation route_expect(const struct route_table *table,
                                      const char *const *agent_versions, size_t count);

/* True when streams of the rule may be answered by that server version ("v1"), because a backend of weight above 0 is named for it
 * (server-v1). */
bool route_expects_version(const struct route_rule *rule, const char *server_version);

/* The version in a backend's name: what follows its last "-v" if that is a number ("server-v1" gives "v1"). Returns false when there is
 * none. */
bool route_backend_version(const char *name, char out[static ROUTE_VERSION_BYTES]);

#endif
