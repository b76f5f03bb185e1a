/* The whole proxy of a process: workers, discovery, health checks, drain. */
#ifndef GRPCROUTE_PROXY_PROXY_H
#define GRPCROUTE_PROXY_PROXY_H

#include "base/log.h"
#include "net/resolve.h"
#include "proxy/config.h"
#include "proxy/worker.h"
#include "route/table.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define PROXY_WORKERS_MAX 64

struct proxy_admin;
struct proxy_discovery;
struct proxy_health;

struct proxy {
    struct proxy_config config;
    struct log_source source;
    struct worker workers[PROXY_WORKERS_MAX];
    unsigned worker_count;
    struct proxy_discovery *discovery; /* owned; worker 0's loop */
    struct proxy_health *health;
    struct proxy_admin *admin; /* owned; a thread of its own */
    char listen_name[NET_ADDRESS_TEXT_BYTES];
    uv_signal_t signals[2];
    uint64_t started_ms;
    atomic_uint_fast64_t stream_number;
    atomic_uint_fast64_t rule_tickets[ROUTE_RULES_MAX]; /* streams per rule, for weights */
    atomic_bool watched; /* somebody looks at the dashboard: answer times are taken */
    atomic_bool discovery_asked;
    atomic_int drain_requests; /* 0: serving, 1: draining, 2: now */
    atomic_bool ready;         /* names resolved, first health checks made */
    int exit_signal;
};

/* Runs until a drain is over. Returns an exit code; errors were printed. */
int proxy_run(struct proxy *proxy, const struct proxy_config *config);

/* Asks all workers to drain; again: to end now. From worker 0's thread. */
void proxy_drain(struct proxy *proxy);
bool proxy_is_draining(const struct proxy *proxy);
bool proxy_drain_is_forced(const struct proxy *proxy);

/* Called by a worker on its own thread when it has closed everything. */
void proxy_worker_ended(struct proxy *proxy, struct worker *worker);

/* A number for a new stream, unique in the process. */
uint64_t proxy_next_stream_number(struct proxy *proxy);

/* The sum over the workers of the counter at `offset` in struct worker_stats. From any thread. */
uint64_t proxy_sum(const struct proxy *proxy, size_t offset);

uint64_t proxy_uptime_s(const struct proxy *proxy);

/* The cluster of that name, or NULL. */
struct cluster *proxy_find_cluster(struct proxy *proxy, const char *name);

#endif
