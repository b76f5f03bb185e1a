/* Which servers must answer an agent: what the routes, or its version alone, promise. Pure. */
#ifndef GRPCROUTE_ROLE_EXPECT_H
#define GRPCROUTE_ROLE_EXPECT_H

#include "route/table.h"

#include <stdbool.h>
#include <stddef.h>

#define ROLE_VERSION_BYTES 72
#define ROLE_EXPECT_MAX    8

enum role_expect_rule {
    ROLE_EXPECT_ANY,      /* some server answers; which one is not judged */
    ROLE_EXPECT_SERVER,   /* a server of one of `versions` answers */
    ROLE_EXPECT_REJECTED, /* the stream ends with a status and without an answer */
    ROLE_EXPECT_REPORT,   /* proxies may differ here: whatever happens is right, and told */
};

struct role_expectation {
    enum role_expect_rule rule;
    char versions[ROLE_EXPECT_MAX][ROLE_VERSION_BYTES];
    size_t version_count;
};

/* vX.Y belongs to vX, whatever routes bring it there. A text that is no version: any server. */
struct role_expectation role_expect_of_version(const char *agent_version);

/* By the routes, for these values of agent-version: none, one, or a header that is repeated. */
struct role_expectation role_expect_of_routes(const struct route_table *routes,
                                              const char *const *agent_versions, size_t count);

/* True when a server of `version` is what the expectation asks for. */
bool role_expectation_allows(const struct role_expectation *expect, const char *version);

/* "v1" or "v1 or v2" into `out`. Returns `out`. */
char *role_expectation_text(const struct role_expectation *expect, char *out, size_t out_bytes);

#endif
