/* Which agent versions are on which clusters: the live streams of a worker, counted in pairs. */
#ifndef GRPCROUTE_RELAY_FLOW_H
#define GRPCROUTE_RELAY_FLOW_H

#include "relay/cluster.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define FLOW_LABEL_BYTES 96 /* of a version that is shown; longer is cut */
/* Pairs that a worker tells apart at a time; more are counted together. */
#define FLOWS_MAX 64
#define FLOW_MORE "(more versions)" /* what these are called */

/* Live streams of one agent version on one cluster. Counters have one writer; the rest changes
 * under the mutex of the worker's streams. */
struct flow {
    char version[FLOW_LABEL_BYTES];
    const struct cluster *cluster; /* as long as it has streams */
    atomic_uint_fast64_t streams;  /* 0: the place is free */
    atomic_uint_fast64_t misrouted;
};

/* Of one worker. The last flow counts what has no place of its own. */
struct flows {
    struct flow flows[FLOWS_MAX + 1];
};

/* One flow as it was. */
struct flow_row {
    char version[FLOW_LABEL_BYTES];
    char cluster[CLUSTER_NAME_BYTES];
    uint64_t streams;
    uint64_t misrouted;
};

/* The flow for a version on a cluster: a known one, a free place that becomes it, or the last
 * one. */
struct flow *flows_find(struct flows *flows, const char *version, const struct cluster *cluster);

/* Writes the flows that have streams; returns how many. */
size_t flows_copy(const struct flows *flows, struct flow_row out[static FLOWS_MAX + 1]);

#endif
