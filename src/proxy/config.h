/* What the proxy was told: constant once it runs. */
#ifndef GRPCROUTE_PROXY_CONFIG_H
#define GRPCROUTE_PROXY_CONFIG_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cluster;
struct net_tls;
struct route_table;

struct proxy_config {
    struct text_address listen;
    struct text_address admin;
    struct net_tls *tls; /* owned by the command */
    struct route_table *routes; /* owned by the command */
    struct cluster *clusters; /* array, owned by the proxy */
    size_t cluster_count;
    const char *id;
    const char *hash_header; /* for LB_HASH, lower case */
    unsigned workers;
    uint32_t max_streams;
    uint64_t drain_ms;
    uint64_t downstream_keepalive_ms;
    uint64_t health_interval_ms;
    uint64_t dns_refresh_ms;
};

#endif
