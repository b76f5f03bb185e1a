#include "proxy/admin_stats.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/process.h"
#include "proxy/cluster.h"
#include "proxy/proxy.h"

#include <stdarg.h>
#include <stdio.h>

/* A number of a worker or of an endpoint under its two names. */
struct stat_entry {
    const char *envoy;
    const char *prometheus;
    const char *help;
    enum metrics_type type;
    size_t offset;
};

#define WORKER(field)   offsetof(struct worker_stats, field)
#define ENDPOINT(field) offsetof(struct endpoint, field)

static const struct stat_entry worker_entries[] = {
    {"downstream_cx_active", "grpcroute_proxy_downstream_connections_active",
     "Open client connections", METRICS_GAUGE, WORKER(downstream_cx_active)},
    {"downstream_cx_total", "grpcroute_proxy_downstream_connections_total",
     "Client connections accepted", METRICS_COUNTER, WORKER(downstream_cx_total)},
    {"downstream_cx_refused", "grpcroute_proxy_downstream_connections_refused_total",
     "Client connections lost before HTTP/2: failed handshakes, descriptor limit", METRICS_COUNTER,
     WORKER(downstream_cx_refused)},
    {"downstream_rq_active", "grpcroute_proxy_streams_active", "Live streams", METRICS_GAUGE,
     WORKER(downstream_rq_active)},
    {"downstream_rq_total", "grpcroute_proxy_streams_total", "Streams opened by clients",
     METRICS_COUNTER, WORKER(downstream_rq_total)},
    {"no_route", "grpcroute_proxy_no_route_total", "Streams that no rule matched", METRICS_COUNTER,
     WORKER(rq_no_route)},
    {"rq_rejected", "grpcroute_proxy_rejected_total",
     "Streams with malformed or repeated routing headers", METRICS_COUNTER, WORKER(rq_rejected)},
    {"rq_unavailable", "grpcroute_proxy_unavailable_total",
     "Streams for which no endpoint could be reached", METRICS_COUNTER, WORKER(rq_unavailable)},
    {"rq_reset", "grpcroute_proxy_upstream_resets_total",
     "Streams whose endpoint ended them without a status", METRICS_COUNTER, WORKER(rq_reset)},
    {"rq_retry", "grpcroute_proxy_retries_total", "Unprocessed streams sent to another endpoint",
     METRICS_COUNTER, WORKER(retries)},
    {"messages_up", "grpcroute_proxy_messages_up_total", "gRPC messages towards endpoints",
     METRICS_COUNTER, WORKER(messages_up)},
    {"messages_down", "grpcroute_proxy_messages_down_total", "gRPC messages towards clients",
     METRICS_COUNTER, WORKER(messages_down)},
    {"answers_checked", "grpcroute_proxy_answers_checked_total",
     "Ping streams whose first answer told its server's version", METRICS_COUNTER,
     WORKER(answers_checked)},
    {"misrouted", "grpcroute_proxy_misrouted_total",
     "Ping streams of an agent vX.Y answered by another version than vX", METRICS_COUNTER,
     WORKER(misrouted)},
};

static const struct stat_entry endpoint_entries[] = {
    {"cx_active", "grpcroute_proxy_endpoint_connections_active", "Open connections to the endpoint",
     METRICS_GAUGE, ENDPOINT(cx_active)},
    {"cx_total", "grpcroute_proxy_endpoint_connections_total", "Connections made to the endpoint",
     METRICS_COUNTER, ENDPOINT(cx_total)},
    {"cx_connect_fail", "grpcroute_proxy_endpoint_connect_failures_total",
     "Connections to the endpoint that could not be made", METRICS_COUNTER,
     ENDPOINT(cx_connect_fail)},
    {"rq_active", "grpcroute_proxy_endpoint_streams_active", "Live streams on the endpoint",
     METRICS_GAUGE, ENDPOINT(rq_active)},
    {"rq_total", "grpcroute_proxy_endpoint_streams_total", "Streams sent to the endpoint",
     METRICS_COUNTER, ENDPOINT(rq_total)},
    {"rq_error", "grpcroute_proxy_endpoint_errors_total", "Streams that the endpoint reset or lost",
     METRICS_COUNTER, ENDPOINT(rq_error)},
    {"messages_up", "grpcroute_proxy_endpoint_messages_up_total",
     "gRPC messages towards the endpoint, of ended streams", METRICS_COUNTER,
     ENDPOINT(messages_up)},
    {"messages_down", "grpcroute_proxy_endpoint_messages_down_total",
     "gRPC messages from the endpoint, of ended streams", METRICS_COUNTER, ENDPOINT(messages_down)},
};

void admin_printf(struct buf *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    uint8_t *to = len > 0 ? buf_reserve(out, (size_t)len + 1) : NULL;
    if (to != NULL) {
        vsnprintf((char *)to, (size_t)len + 1, format, again);
        buf_commit(out, (size_t)len);
    }
    va_end(again);
}

static uint64_t load(const void *object, size_t offset)
{
    return atomic_load((const atomic_uint_fast64_t *)((const char *)object + offset));
}

/* ---- Envoy's text ---------------------------------------------------------------------------- */

struct cluster_sum {
    size_t offset;
    uint64_t sum;
    uint64_t members;
    uint64_t healthy;
};

static void add_endpoint(void *ctx, struct endpoint *endpoint)
{
    struct cluster_sum *sum = ctx;
    sum->sum += load(endpoint, sum->offset);
    sum->members++;
    sum->healthy += atomic_load(&endpoint->health) == ENDPOINT_HEALTHY;
}

static void cluster_text(struct cluster *cluster, struct buf *out)
{
    struct cluster_sum sum = {0};
    for (size_t i = 0; i < ARRAY_SIZE(endpoint_entries); i++) {
        sum = (struct cluster_sum){.offset = endpoint_entries[i].offset};
        cluster_each(cluster, add_endpoint, &sum);
        admin_printf(out, "cluster.%s.upstream_%s: %llu\n", cluster->name,
                     endpoint_entries[i].envoy, (unsigned long long)sum.sum);
    }
    admin_printf(out, "cluster.%s.membership_healthy: %llu\n", cluster->name,
                 (unsigned long long)sum.healthy);
    admin_printf(out, "cluster.%s.membership_total: %llu\n", cluster->name,
                 (unsigned long long)sum.members);
    admin_printf(out, "cluster.%s.upstream_cx_none_healthy: %llu\n", cluster->name,
                 (unsigned long long)atomic_load(&cluster->rq_no_healthy));
    admin_printf(out, "cluster.%s.upstream_rq_retry: %llu\n", cluster->name,
                 (unsigned long long)atomic_load(&cluster->retries));
}

void admin_stats_text(struct proxy *proxy, struct buf *out)
{
    for (size_t i = 0; i < proxy->config.cluster_count; i++) {
        cluster_text(&proxy->config.clusters[i], out);
    }
    for (size_t i = 0; i < ARRAY_SIZE(worker_entries); i++) {
        admin_printf(out, "http.grpc.%s: %llu\n", worker_entries[i].envoy,
                     (unsigned long long)proxy_sum(proxy, worker_entries[i].offset));
    }
    admin_printf(out, "server.concurrency: %u\n", proxy->worker_count);
    admin_printf(out, "server.live: %d\n", proxy_is_draining(proxy) ? 0 : 1);
    admin_printf(out, "server.uptime: %llu\n", (unsigned long long)proxy_uptime_s(proxy));
}

/* ---- Prometheus ------------------------------------------------------------------------------ */

struct sample_context {
    struct metrics *out;
    const char *name;
    size_t offset;
};

static void endpoint_sample(void *ctx, struct endpoint *endpoint)
{
    struct sample_context *context = ctx;
    metrics_sample(
        context->out, context->name,
        METRICS_LABELS({"cluster", endpoint->cluster->name}, {"endpoint", endpoint->name}),
        (double)load(endpoint, context->offset));
}

static void healthy_sample(void *ctx, struct endpoint *endpoint)
{
    struct sample_context *context = ctx;
    metrics_sample(
        context->out, context->name,
        METRICS_LABELS({"cluster", endpoint->cluster->name}, {"endpoint", endpoint->name}),
        atomic_load(&endpoint->health) == ENDPOINT_HEALTHY ? 1 : 0);
}

static void each_endpoint(struct proxy *proxy, void (*visit)(void *ctx, struct endpoint *endpoint),
                          struct sample_context *context)
{
    for (size_t i = 0; i < proxy->config.cluster_count; i++) {
        cluster_each(&proxy->config.clusters[i], visit, context);
    }
}

void admin_stats_prometheus(struct proxy *proxy, struct metrics *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(worker_entries); i++) {
        const struct stat_entry *entry = &worker_entries[i];
        metrics_begin(out, entry->prometheus, entry->type, entry->help);
        metrics_sample(out, entry->prometheus, NULL, (double)proxy_sum(proxy, entry->offset));
    }
    for (size_t i = 0; i < ARRAY_SIZE(endpoint_entries); i++) {
        const struct stat_entry *entry = &endpoint_entries[i];
        metrics_begin(out, entry->prometheus, entry->type, entry->help);
        each_endpoint(proxy, endpoint_sample,
                      &(struct sample_context){out, entry->prometheus, entry->offset});
    }
    static const char healthy[] = "grpcroute_proxy_endpoint_healthy";
    metrics_begin(out, healthy, METRICS_GAUGE, "1 when the last health check was good");
    each_endpoint(proxy, healthy_sample, &(struct sample_context){out, healthy, 0});
    static const char uptime[] = "grpcroute_proxy_uptime_seconds";
    metrics_begin(out, uptime, METRICS_GAUGE, "Seconds since the proxy started");
    metrics_sample(out, uptime, NULL, (double)proxy_uptime_s(proxy));
    process_metrics(out);
}
