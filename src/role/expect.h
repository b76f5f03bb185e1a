/* Which servers must answer an agent, and where that is not known. The first that applies: what the
 * user says (--expect), the routes (--routes, --backend-version), the version alone: vX.Y belongs
 * to vX. Where none says it, nothing is judged, and that is told. */
#ifndef GRPCROUTE_ROLE_EXPECT_H
#define GRPCROUTE_ROLE_EXPECT_H

#include "cli/common.h"
#include "role/connect.h"
#include "role/rewrite.h"
#include "route/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A server's version, as the user or the routes name it. */
#define ROLE_VERSION_BYTES 72
#define ROLE_EXPECT_MAX    16
#define ROLE_REASON_BYTES  256
/* An agent's version: 1 to 64 visible characters. */
#define ROLE_AGENT_VERSION_BYTES CLI_AGENT_VERSION_BYTES

enum role_expect_rule {
    ROLE_EXPECT_ANY,      /* some server answers; which one is not judged */
    ROLE_EXPECT_SERVER,   /* a server of one of `versions` answers */
    ROLE_EXPECT_REJECTED, /* the stream ends with a status and without an answer; `reason` why */
    ROLE_EXPECT_REPORT,   /* proxies may differ here: whatever happens is right, and told */
    ROLE_EXPECT_UNKNOWN,  /* nothing says which server: not checked, never right; `reason` why */
};

/* What a backend of the rule gets of the new streams. */
struct role_share {
    const char *backend; /* borrowed from the role_expects */
    uint64_t weight;     /* above 0 */
    uint32_t versions;   /* of its servers: a bit for each of the expectation's */
};

struct role_expectation {
    enum role_expect_rule rule;
    char versions[ROLE_EXPECT_MAX][ROLE_VERSION_BYTES];
    size_t version_count;
    struct role_share shares[ROUTE_BACKENDS_MAX]; /* where the expectation comes from --routes */
    size_t share_count;
    struct role_rewrite rewrite; /* by the rule of --routes that takes it, whoever is to answer */
    bool rewrite_unknown;        /* ... but which rule takes it is not known, and some rewrite */
    bool too_many;               /* while it is filled */
    char reason[ROLE_REASON_BYTES]; /* printable ASCII */
};

struct role_expect_options {
    struct cli_list expect;
    const char *routes; /* NULL: none */
    struct cli_list backend_versions;
    bool any_backend; /* it may be about clusters that a log names, whatever the routes know */
};

/* clang-format off */

/* The entries for the field `field` of `type`, a struct role_expect_options. */
#define ROLE_EXPECT_OPTIONS(type, field)                                                           \
    {.name = "expect", .kind = CLI_LIST, .offset = offsetof(type, field.expect),                   \
     .argument = "'VALUE=SERVER[|SERVER...]'",                                                     \
     .help = "Servers that may answer agents of version VALUE. A SERVER of * is any, a VALUE of "  \
             "* is every version that is not named. Goes before --routes"},                        \
    {.name = "routes", .kind = CLI_FILE, .offset = offsetof(type, field.routes),                   \
     .argument = "FILE",                                                                           \
     .help = "GRPCRoute file to take the expectations from; without it vX.Y belongs to vX"},       \
    {.name = "backend-version", .kind = CLI_LIST,                                                  \
     .offset = offsetof(type, field.backend_versions), .argument = "BACKEND=SERVER",               \
     .help = "Version of the servers behind a backend of --routes, where its name does not end "   \
             "in -vN"}

/* clang-format on */

/* A zeroed struct knows only that vX.Y belongs to vX. */
struct role_expects {
    const struct role_expect_options *options;  /* borrowed */
    struct route_table *routes;                 /* owned */
    const struct role_service_options *service; /* borrowed; NULL: PingPong */
    char path[ROLE_METHOD_BYTES];               /* of it; "": PingPong's */
    const char *authority;                      /* NULL: any host that the routes are for */
    bool authority_chosen;                      /* by the user */
    char default_authority[TEXT_ADDRESS_BYTES];
    char version_header[ROLE_HEADER_NAME_BYTES];
};

/* Checks the options and reads the routes. `connect` says what the routes will see; NULL: not
 * known. Both are borrowed. Returns 0, or 1 after one line on standard error;
 * role_expects_deinit() takes what is half made, too. */
int role_expects_init(struct role_expects *expects, const char *command,
                      const struct role_expect_options *options,
                      const struct role_connect_options *connect);
void role_expects_deinit(struct role_expects *expects);

/* Says which --expect is about none of these versions: it was misspelt, or one is missing. */
void role_expects_tell_unused(const struct role_expects *expects,
                              const char (*versions)[ROLE_AGENT_VERSION_BYTES], size_t count);

/* Whether a rule of the routes rewrites what servers see of agents. */
bool role_expects_rewrite(const struct role_expects *expects);

/* For agents of this version. */
struct role_expectation role_expects_of(const struct role_expects *expects,
                                        const char *agent_version);

/* The servers behind a backend: by --backend-version, else by the -vN of its name. Its rule is
 * ROLE_EXPECT_SERVER, or ROLE_EXPECT_UNKNOWN. */
struct role_expectation role_expects_servers(const struct role_expects *expects,
                                             const char *backend);

/* By the routes, the built-in ones where none are given, for these values of the version's header:
 * none, one, or a header that is repeated. */
struct role_expectation role_expects_at_edge(const struct role_expects *expects,
                                             const char *const *agent_versions, size_t count);

/* True when a server of `version` is what the expectation asks for. */
bool role_expectation_allows(const struct role_expectation *expect, const char *version);
/* True when an answer of `version` is known to be wrong. */
bool role_expectation_forbids(const struct role_expectation *expect, const char *version);

/* "v1" or "v1 or v2" into `out`. Returns `out`. */
char *role_expectation_text(const struct role_expectation *expect, char *out, size_t out_bytes);

#endif
