/* Calls of one method as metrics, under the names that go-grpc-prometheus made common. */
#ifndef GRPCROUTE_RPC_CALL_METRICS_H
#define GRPCROUTE_RPC_CALL_METRICS_H

#include "rpc/status.h"

#include <stdint.h>

struct metrics;

#define RPC_CODES (RPC_UNAUTHENTICATED + 1)

/* What one side of a bidirectional method counted. */
struct rpc_call_counts {
    uint64_t started;
    uint64_t received;     /* messages */
    uint64_t sent;         /* messages */
    const uint64_t *ended; /* RPC_CODES: calls by their status */
};

/* Appends "grpc_SIDE_started_total" and so on; `side` is "client" or "server", `path` is
 * "/package.Service/Method". */
void rpc_call_metrics(struct metrics *out, const char *side, const char *path,
                      const struct rpc_call_counts *counts);

#endif
