/* What a check is going to do: groups with one expectation each, streams, connections. Pure. */
#ifndef GRPCROUTE_CHECK_PLAN_H
#define GRPCROUTE_CHECK_PLAN_H

#include "role/expect.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHECK_VERSION_BYTES ROLE_VERSION_BYTES /* of an agent or a server */
#define CHECK_ID_BYTES      160
/* Connections that carry streams of every version side by side. */
#define CHECK_SHARED_CONNECTIONS 2
/* Of each version. */
#define CHECK_STREAMS_MAX 10000
/* Of each version at most so many streams get a connection of their own. */
#define CHECK_SEPARATE_MAX 32

enum check_command { CHECK_VERIFY, CHECK_STICKY };

enum check_group_kind {
    CHECK_GROUP_VERSION,  /* an agent version, as --versions says */
    CHECK_GROUP_BOUNDARY, /* a header at the edge of what routes match */
    CHECK_GROUP_AGENT,    /* one stream of sticky-test */
};

enum check_header {
    CHECK_HEADER_ONCE,
    CHECK_HEADER_MISSING,
    CHECK_HEADER_TWICE, /* CHECK_TWICE_FIRST and CHECK_TWICE_SECOND */
};

#define CHECK_TWICE_FIRST  "v1.1"
#define CHECK_TWICE_SECOND "v2.1"

struct check_group {
    enum check_group_kind kind;
    enum check_header header;
    char agent_version[CHECK_VERSION_BYTES]; /* CHECK_HEADER_ONCE; may be empty */
    struct role_expectation expect;
};

struct check_stream {
    size_t group;
    size_t connection;
    bool own_connection; /* beside the usual ones, for the split */
    char agent_id[CHECK_ID_BYTES];
};

struct check_plan {
    enum check_command command;
    struct check_group *groups; /* owned */
    size_t group_count;
    struct check_stream *streams; /* owned */
    size_t stream_count;
    size_t connection_count;
    uint64_t messages;    /* pings per stream */
    uint64_t interval_ms; /* between two pings of a stream */
    bool shuffled;        /* by `seed` */
    uint64_t seed;
    bool split;              /* the weights of the routes are judged, too, ... */
    double split_resolution; /* ... so that an error of this size shows, 0 to 1 */
    size_t usual_streams;    /* of a version that are not counted for it */
    uint64_t hold_ms; /* streams are to live so long; 0: no longer than their messages take */
    bool id_hidden;   /* agents say who they are in headers that servers do not echo ... */
    bool version_hidden;
    const struct role_service *service; /* borrowed; that is checked; NULL: PingPong */
    bool rewritten; /* the routes change what servers see of agents, so their logs name others */
    bool from_logs; /* nothing is sent: what others logged is judged */
};

/* Frees what a plan owns; a zeroed plan is fine. */
void check_plan_deinit(struct check_plan *plan);

/* Adds a group of the given kind and header; returns it, valid until the next call. */
struct check_group *check_plan_add_group(struct check_plan *plan, enum check_group_kind kind,
                                         enum check_header header, const char *agent_version);

/* Adds `per_version` streams to each version group. Streams of all versions alternate on the shared
 * connections; a quarter of each version's streams, at least one of two, has a connection of its
 * own. `run_id` makes the agent-ids of this run differ from those of others. */
void check_plan_add_version_streams(struct check_plan *plan, size_t per_version,
                                    const char *run_id);

/* Adds `count` streams to the group, each on a connection of its own: for the split, which wants
 * streams that have nothing to do with each other. */
void check_plan_add_own_streams(struct check_plan *plan, size_t group, size_t count,
                                const char *run_id);

/* Adds one stream to each boundary group, each on its own connection, since a proxy may answer a
 * bad header by closing the connection. */
void check_plan_add_boundary_streams(struct check_plan *plan, const char *run_id);

/* Puts streams and connections into an order that `seed` decides. Proxies hand out their endpoints
 * in turn, so in a regular order a version would meet the same few every time. */
void check_plan_shuffle(struct check_plan *plan, uint64_t seed);

/* Adds `agents` groups of one stream, all on one connection; ids are `id`, or `id`-1, `id`-2, ...
 * of several. */
void check_plan_add_agents(struct check_plan *plan, const char *agent_version, const char *id,
                           size_t agents);

/* The time that all of it may take where the user says none (0): what the messages and the
 * connections need, and 10 s more. */
uint64_t check_plan_timeout_ns(const struct check_plan *plan, uint64_t given_ns);

/* What the group is about, for people: "Agent v1.1", "Boundary v1.0-rc1", "Boundary (header
 * missing)". Escaped. Returns `out`. */
char *check_group_label(const struct check_group *group, char *out, size_t out_bytes);

#endif
