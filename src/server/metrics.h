/* What a server counts, and how it looks to Prometheus. Pure. */
#ifndef GRPCROUTE_SERVER_METRICS_H
#define GRPCROUTE_SERVER_METRICS_H

#include "base/histogram.h"
#include "base/metrics.h"
#include "rpc/call_metrics.h"

#include <stddef.h>
#include <stdint.h>

/* Versions of agents that are counted apart; clients choose them, so what comes later, and what is
 * no plain version, is "other". */
#define SERVER_METRICS_VERSIONS      16
#define SERVER_METRICS_VERSION_BYTES 65

struct server_version_stats {
    char version[SERVER_METRICS_VERSION_BYTES];
    uint64_t streams_active;
    uint64_t streams_opened;
};

/* A zeroed struct is an empty one. */
struct server_metrics {
    uint64_t messages_received;
    uint64_t messages_sent;
    uint64_t fd_limit_hits;
    uint64_t ended[RPC_CODES];                                         /* streams by status */
    struct server_version_stats versions[SERVER_METRICS_VERSIONS + 1]; /* the last one is "other" */
    size_t version_count;
    struct histogram lifetime;
};

/* Counts a new stream of an agent of `agent_version` (any text). Returns what
 * server_metrics_ended() wants to know of it. */
size_t server_metrics_opened(struct server_metrics *metrics, const char *agent_version);
void server_metrics_ended(struct server_metrics *metrics, size_t opened, enum rpc_code code,
                          uint64_t age_ns);

/* Appends everything, also about the process; no label names an agent. */
void server_metrics_write(const struct server_metrics *metrics, const char *server_version,
                          struct metrics *out);

#endif
