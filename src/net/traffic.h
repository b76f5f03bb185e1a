/* Socket bytes as metrics. */
#ifndef GRPCROUTE_NET_TRAFFIC_H
#define GRPCROUTE_NET_TRAFFIC_H

#include "net/loop.h"

#include <stddef.h>
#include <stdint.h>

struct metrics;

/* Bytes of one side as they were. */
struct net_traffic_sum {
    const char *side; /* a label's value; NULL: there is but one side */
    uint64_t received;
    uint64_t sent;
};

/* Adds what went through the sockets; from any thread. */
void net_traffic_add_to(const struct net_traffic *traffic, struct net_traffic_sum *sum);

/* Appends "grpcroute_ROLE_network_receive_bytes_total" and "..._transmit_...". */
void net_traffic_metrics(struct metrics *out, const char *role, const struct net_traffic_sum *sums,
                         size_t count);

#endif
