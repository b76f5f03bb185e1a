/* What the routes make of an agent's metadata before a server sees them: a RequestHeaderModifier
 * may set, add to or remove agent-id and agent-version. Pure. */
#ifndef GRPCROUTE_ROLE_REWRITE_H
#define GRPCROUTE_ROLE_REWRITE_H

#include "route/table.h"

#include <stdbool.h>
#include <stddef.h>

/* A value that is longer need not be echoed. */
#define ROLE_ECHOED_BYTES  200
#define ROLE_REWRITE_BYTES 320

/* Borrowed from the routes; NULL: it is left as it is. */
struct role_rewrite {
    const struct route_change *id;
    const struct route_change *version;
};

struct role_rewrite role_rewrite_of(const struct route_rule *rule);

/* Whether any rule of the routes rewrites one of them. */
bool role_routes_rewrite(const struct route_table *routes);

bool role_rewrites(const struct role_rewrite *rewrite);

/* Whether a server may see `seen` of an agent that sent `own`. */
bool role_rewrite_allows(const struct route_change *change, const char *own, const char *seen);

/* "its rule sets agent-version=v9.9 and removes agent-id" into `out`; "" where nothing is
 * rewritten. Values are cut, printable ASCII. Returns `out`. */
char *role_rewrite_text(const struct role_rewrite *rewrite, char out[static ROLE_REWRITE_BYTES]);

#endif
