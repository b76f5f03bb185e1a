/* What probably ended a stream, told from how long it lived: proxies have well-known time limits.
 * Pure. */
#ifndef GRPCROUTE_RPC_HINT_H
#define GRPCROUTE_RPC_HINT_H

#include "rpc/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the life of a stream looked to its client. */
struct rpc_stream_life {
    uint64_t age_ms;         /* from its request to its end */
    uint64_t idle_ms;        /* from its last message, in either direction, to its end */
    bool half_closed;        /* by the client, before the end */
    uint64_t half_closed_ms; /* from that to the end */
};

/* The setting that explains the end, as a static phrase ("Traefik's ... readTimeout, 60s by
 * default: set it to 0s"), or NULL when nothing known fits: after a regular end, after our own
 * doing, and when the life has no telling length. */
const char *rpc_hint(const struct rpc_stream_life *life, const struct rpc_status *status);

/* rpc_status_describe(), and in brackets the hint if there is one, else what a stream that was cut
 * off (reset, or without trailers, as proxies do and gRPC servers do not) tells about a limit.
 * Escaped. Returns `out`. */
#define RPC_CAUSE_BYTES 768
char *rpc_describe_end(const struct rpc_stream_life *life, const struct rpc_status *status,
                       char *out, size_t out_bytes);

#endif
