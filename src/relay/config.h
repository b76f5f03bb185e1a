/* What a relay is told at its start: constant once it runs, but for what a reload replaces. */
#ifndef GRPCROUTE_RELAY_CONFIG_H
#define GRPCROUTE_RELAY_CONFIG_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct line_file;
struct net_tls;
struct routing;

/* How endpoints are checked. */
struct relay_health {
    bool checks; /* else an endpoint to which there is a connection is healthy */
    uint64_t interval_ms;
    uint64_t timeout_ms;
    unsigned unhealthy_threshold; /* faults in a row */
    unsigned healthy_threshold;   /* passed checks in a row */
};

struct relay_config {
    struct text_address listen;
    const char *id;
    const char *hash_header; /* for LB_HASH, lower case; NULL: none */
    unsigned workers;
    uint64_t coalesce_ns; /* between polls of a worker, at least; 0: none */
    uint32_t max_streams; /* of a client's connection */
    uint64_t max_buffered_bytes;
    uint64_t drain_ms;
    uint64_t downstream_keepalive_ms;
    bool client_certs; /* clients are asked for certificates: what they say of such is dropped */
    bool forward_client_cert;   /* endpoints are told who a client proved to be */
    uint64_t max_stream_age_ms; /* 0: none */
    uint64_t age_jitter_ms;     /* a stream's own limit is by up to this much less or more */
    struct relay_health health;
    struct line_file *access_log; /* borrowed; where ends of streams are told; NULL: nowhere */
    bool access_log_open;         /* and their begins */
};

#endif
