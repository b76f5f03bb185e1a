#include "net/traffic.h"

#include "base/metrics.h"

#include <stdio.h>

#define NAME_BYTES 64

void net_traffic_add_to(const struct net_traffic *traffic, struct net_traffic_sum *sum)
{
    sum->received += atomic_load_explicit(&traffic->received, memory_order_relaxed);
    sum->sent += atomic_load_explicit(&traffic->sent, memory_order_relaxed);
}

static void put(struct metrics *out, const char *name, const struct net_traffic_sum *sum,
                uint64_t bytes)
{
    const struct metrics_label *side = METRICS_LABELS({"side", sum->side});
    metrics_sample(out, name, sum->side != NULL ? side : NULL, (double)bytes);
}

void net_traffic_metrics(struct metrics *out, const char *role, const struct net_traffic_sum *sums,
                         size_t count)
{
    char received[NAME_BYTES];
    char sent[NAME_BYTES];
    snprintf(received, sizeof(received), "grpcroute_%s_network_receive_bytes_total", role);
    snprintf(sent, sizeof(sent), "grpcroute_%s_network_transmit_bytes_total", role);
    metrics_begin(out, received, METRICS_COUNTER, "Bytes read from sockets, those of TLS included");
    for (size_t i = 0; i < count; i++) {
        put(out, received, &sums[i], sums[i].received);
    }
    metrics_begin(out, sent, METRICS_COUNTER, "Bytes written to sockets, those of TLS included");
    for (size_t i = 0; i < count; i++) {
        put(out, sent, &sums[i], sums[i].sent);
    }
}
