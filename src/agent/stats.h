/* What all agents of a process count together, and how it looks to Prometheus. Pure. */
#ifndef GRPCROUTE_AGENT_STATS_H
#define GRPCROUTE_AGENT_STATS_H

#include "base/histogram.h"
#include "base/metrics.h"
#include "rpc/call_metrics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Versions of servers that are counted apart; a peer chooses them, so what comes later is "other".
 */
#define AGENT_STATS_SERVERS       16
#define AGENT_STATS_VERSION_BYTES 65
/* Reasons come from enumerations of ours; there are fewer. */
#define AGENT_STATS_REASONS 64

enum agent_stats_verdict { AGENT_STATS_MISMATCH, AGENT_STATS_MATCH, AGENT_STATS_UNCHECKED };

struct agent_stats_server {
    char version[AGENT_STATS_VERSION_BYTES];
    uint64_t matches;
    uint64_t mismatches;
    uint64_t unchecked; /* nothing says which server must answer */
};

struct agent_stats_reason {
    const char *label; /* static */
    uint64_t count;
};

/* A zeroed struct is an empty one. */
struct agent_stats {
    uint64_t sent;
    uint64_t received;
    uint64_t withdrawn;  /* pings that nobody saw, as their stream was ended as planned */
    uint64_t lost;       /* pings whose stream ended, or went on, without an answer */
    uint64_t unexpected; /* answers to no ping of the stream: repeated, or never asked for */
    uint64_t skipped;    /* pings not sent because the server did not read */
    uint64_t mixed;      /* answers that carry the metadata of another agent */
    uint64_t moved;      /* answers from another pod than the stream's first */
    uint64_t mismatches; /* answers from a server of another version */
    uint64_t unnamed;    /* answers of --method that do not say which server it was */
    uint64_t bad_ends;   /* streams that had sent all and did not end with an OK */
    uint64_t streams_opened;
    uint64_t streams_active;
    uint64_t ended[RPC_CODES];                              /* streams by status */
    struct agent_stats_reason reasons[AGENT_STATS_REASONS]; /* of reconnections */
    size_t reason_count;
    struct agent_stats_server servers[AGENT_STATS_SERVERS + 1]; /* the last one is "other" */
    size_t server_count;
    struct histogram rtt;
    struct histogram lifetime;
};

/* Counts an answer of a server of `version` (any text of a peer). */
void agent_stats_answer(struct agent_stats *stats, const char *version,
                        enum agent_stats_verdict verdict);

/* Counts a reconnection; `reason` is a static label. */
void agent_stats_reconnect(struct agent_stats *stats, const char *reason);

/* True when no message was lost, every answer came from where it must, and streams ended well. */
bool agent_stats_clean(const struct agent_stats *stats);

/* Appends everything; no label names an agent. `path` is the method that is called. */
void agent_stats_write(const struct agent_stats *stats, const char *agent_version, const char *path,
                       struct metrics *metrics);

#endif
