/* What a relay was told: constant once it runs. */
#ifndef GRPCROUTE_RELAY_CONFIG_H
#define GRPCROUTE_RELAY_CONFIG_H

#include "base/text.h"

#include <stddef.h>
#include <stdint.h>

struct cluster;
struct net_tls;
struct route_table;

struct relay_config {
    struct text_address listen;
    struct net_tls *tls;        /* borrowed; NULL: plaintext */
    struct route_table *routes; /* borrowed */
    struct cluster *clusters;   /* array, borrowed */
    size_t cluster_count;
    const char *id;
    const char *hash_header; /* for LB_HASH, lower case; NULL: none */
    unsigned workers;
    uint32_t max_streams; /* of a client's connection */
    uint64_t max_buffered_bytes;
    uint64_t drain_ms;
    uint64_t downstream_keepalive_ms;
};

#endif
