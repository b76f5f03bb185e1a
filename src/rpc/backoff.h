/* When to try a connection again: gRPC connection-backoff.md (1 s, x1.6, +-20 %, at most 120 s).
 * Pure. */
#ifndef GRPCROUTE_RPC_BACKOFF_H
#define GRPCROUTE_RPC_BACKOFF_H

#include <stdint.h>

#define RPC_BACKOFF_INITIAL_MS 1000
#define RPC_BACKOFF_MULTIPLIER 1.6
#define RPC_BACKOFF_JITTER     0.2
#define RPC_BACKOFF_MAX_MS     120000
/* An attempt may take at least this long. */
#define RPC_CONNECT_MIN_MS 20000

struct rpc_backoff {
    double base_ms; /* 0: no failure yet */
    uint64_t max_ms;
};

/* `max_ms` 0 means RPC_BACKOFF_MAX_MS. */
void rpc_backoff_init(struct rpc_backoff *backoff, uint64_t max_ms);

/* The next delay in ms; `unit` is uniform in [0, 1). */
uint64_t rpc_backoff_next_ms(struct rpc_backoff *backoff, double unit);

/* After a connection that worked. */
void rpc_backoff_reset(struct rpc_backoff *backoff);

#endif
