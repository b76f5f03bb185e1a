#include "admin/stats.h"

#include "admin/certs.h"
#include "admin/stats_live.h"
#include "admin/text.h"
#include "base/buf.h"
#include "base/line_file.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/process.h"
#include "relay/cluster.h"
#include "relay/state.h"

#include <stdio.h>
#include <string.h>

/* A number of a worker or of an endpoint under its two names. */
struct stat_entry {
    const char *envoy;
    const char *prometheus;
    const char *help;
    enum metrics_type type;
    size_t offset;
};

#define WORKER_ENTRY(field, envoy, type, metric, help)                                             \
    {envoy, "grpcroute_proxy_" metric, help, METRICS_##type, offsetof(struct worker_stats, field)},
#define ENDPOINT_ENTRY(field, type, metric, help)                                                  \
    {#field, "grpcroute_proxy_endpoint_" metric, help, METRICS_##type,                             \
     offsetof(struct endpoint, field)},

#define LOAD_ENTRY(field, type, metric, help)                                                      \
    {#field, "grpcroute_proxy_endpoint_" metric, help, METRICS_##type,                             \
     offsetof(struct endpoint_load, field)},

static const struct stat_entry worker_entries[] = {WORKER_NUMBERS(WORKER_ENTRY)};
static const struct stat_entry endpoint_entries[] = {ENDPOINT_NUMBERS(ENDPOINT_ENTRY)};
static const struct stat_entry load_entries[] = {ENDPOINT_LOADS(LOAD_ENTRY)};

/* What is told of each worker, too: how connections and streams are spread. */
static const size_t spread_offsets[] = {
    offsetof(struct worker_stats, downstream_cx_active),
    offsetof(struct worker_stats, downstream_cx_total),
    offsetof(struct worker_stats, downstream_rq_active),
    offsetof(struct worker_stats, downstream_rq_total),
};

static bool is_spread(const struct stat_entry *entry)
{
    for (size_t i = 0; i < ARRAY_SIZE(spread_offsets); i++) {
        if (entry->offset == spread_offsets[i]) {
            return true;
        }
    }
    return false;
}

static uint64_t load(const void *object, size_t offset)
{
    return atomic_load((const atomic_uint_fast64_t *)((const char *)object + offset));
}

/* ---- Envoy's text ---------------------------------------------------------------------------- */

/* How a number of an endpoint is read. */
typedef uint64_t (*read_fn)(const struct endpoint *endpoint, size_t offset);

static uint64_t read_number(const struct endpoint *endpoint, size_t offset)
{
    return load(endpoint, offset);
}

static uint64_t read_load(const struct endpoint *endpoint, size_t offset)
{
    return per_worker_sum(&endpoint->loads, offset);
}

struct cluster_sum {
    read_fn read;
    size_t offset;
    uint64_t sum;
    uint64_t members;
    uint64_t healthy;
};

static void add_endpoint(void *ctx, struct endpoint *endpoint)
{
    struct cluster_sum *sum = ctx;
    sum->sum += sum->read(endpoint, sum->offset);
    sum->members++;
    sum->healthy += atomic_load(&endpoint->health) == ENDPOINT_HEALTHY;
}

static struct cluster_sum sum_text(struct cluster *cluster, const struct stat_entry *entry,
                                   read_fn read, struct buf *out)
{
    struct cluster_sum sum = {.read = read, .offset = entry->offset};
    cluster_each(cluster, add_endpoint, &sum);
    if (entry->type == METRICS_COUNTER) { /* also what endpoints counted that have left */
        sum.sum = read == read_load ? cluster_count_load(cluster, entry->offset)
                                    : cluster_count_number(cluster, entry->offset);
    }
    admin_printf(out, "cluster.%s.upstream_%s: %llu\n", cluster->name, entry->envoy,
                 (unsigned long long)sum.sum);
    return sum;
}

static void cluster_text(void *ctx, struct cluster *cluster)
{
    struct buf *out = ctx;
    struct cluster_sum sum = {0};
    for (size_t i = 0; i < ARRAY_SIZE(endpoint_entries); i++) {
        sum = sum_text(cluster, &endpoint_entries[i], read_number, out);
    }
    for (size_t i = 0; i < ARRAY_SIZE(load_entries); i++) {
        sum_text(cluster, &load_entries[i], read_load, out);
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

/* Envoy's "listener.ADDRESS.worker_N.downstream_cx_active". */
static void workers_text(struct relay *relay, const struct stat_entry *entry, struct buf *out)
{
    for (unsigned i = 0; i < relay->worker_count; i++) {
        admin_printf(out, "listener.grpc.worker_%u.%s: %llu\n", i, entry->envoy,
                     (unsigned long long)load(&relay->workers[i].stats, entry->offset));
    }
}

static void access_log_text(const struct relay *relay, struct buf *out)
{
    const struct line_file *log = relay->config.access_log;
    if (log != NULL) {
        admin_printf(out, "access_log.lines: %llu\naccess_log.dropped: %llu\n",
                     (unsigned long long)line_file_written(log),
                     (unsigned long long)line_file_dropped(log));
    }
}

void admin_stats_text(struct relay *relay, struct buf *out)
{
    relay_each_cluster(relay, cluster_text, out);
    for (size_t i = 0; i < ARRAY_SIZE(worker_entries); i++) {
        admin_printf(out, "http.grpc.%s: %llu\n", worker_entries[i].envoy,
                     (unsigned long long)relay_sum(relay, worker_entries[i].offset));
    }
    for (size_t i = 0; i < ARRAY_SIZE(worker_entries); i++) {
        if (is_spread(&worker_entries[i])) {
            workers_text(relay, &worker_entries[i], out);
        }
    }
    access_log_text(relay, out);
    admin_printf(out, "server.concurrency: %u\n", relay->worker_count);
    admin_printf(out, "server.live: %d\n", relay_is_draining(relay) ? 0 : 1);
    admin_printf(out, "server.uptime: %llu\n", (unsigned long long)relay_uptime_s(relay));
}

/* ---- Prometheus ------------------------------------------------------------------------------ */

struct sample_context {
    void (*visit)(void *ctx, struct endpoint *endpoint);
    read_fn read;
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
        (double)context->read(endpoint, context->offset));
}

static void healthy_sample(void *ctx, struct endpoint *endpoint)
{
    struct sample_context *context = ctx;
    metrics_sample(
        context->out, context->name,
        METRICS_LABELS({"cluster", endpoint->cluster->name}, {"endpoint", endpoint->name}),
        atomic_load(&endpoint->health) == ENDPOINT_HEALTHY ? 1 : 0);
}

static void cluster_samples(void *ctx, struct cluster *cluster)
{
    struct sample_context *context = ctx;
    cluster_each(cluster, context->visit, context);
}

static void reload_metrics(struct relay *relay, struct metrics *out)
{
    static const char reloads[] = "grpcroute_proxy_reloads_total";
    static const char updated[] = "grpcroute_proxy_config_last_updated_timestamp_seconds";
    static const char ok[] = "grpcroute_proxy_config_last_reload_successful";
    pthread_mutex_lock(&relay->force.mutex);
    uint64_t failed = relay->force.failed_reloads;
    uint64_t good = relay->force.reloads - failed;
    double since_s = (double)relay->force.since_ns / 1e9;
    bool is_ok = relay->force.failure[0] == '\0';
    pthread_mutex_unlock(&relay->force.mutex);
    metrics_begin(out, reloads, METRICS_COUNTER, "Reloads of routes, endpoints and certificate");
    metrics_sample(out, reloads, METRICS_LABELS({"result", "success"}), (double)good);
    metrics_sample(out, reloads, METRICS_LABELS({"result", "failure"}), (double)failed);
    metrics_begin(out, ok, METRICS_GAUGE, "0 when the last reload failed and changed nothing");
    metrics_sample(out, ok, NULL, is_ok ? 1 : 0);
    metrics_begin(out, updated, METRICS_GAUGE, "When what is in force was put in force");
    metrics_sample(out, updated, NULL, since_s);
}

static void access_log_metrics(const struct relay *relay, struct metrics *out)
{
    static const char lines[] = "grpcroute_proxy_access_log_lines_total";
    static const char dropped[] = "grpcroute_proxy_access_log_dropped_total";
    const struct line_file *log = relay->config.access_log;
    if (log != NULL) {
        metrics_begin(out, lines, METRICS_COUNTER, "Lines of the stream log that are in its file");
        metrics_sample(out, lines, NULL, (double)line_file_written(log));
        metrics_begin(out, dropped, METRICS_COUNTER,
                      "Lines of the stream log that its file did not take in time");
        metrics_sample(out, dropped, NULL, (double)line_file_dropped(log));
    }
}

/* As "grpcroute_proxy_worker_..." beside the sum. */
static void workers_prometheus(struct relay *relay, const struct stat_entry *entry,
                               struct metrics *out)
{
    char name[96];
    char help[160];
    static const char prefix[] = "grpcroute_proxy_";
    snprintf(name, sizeof(name), "%sworker_%s", prefix, entry->prometheus + strlen(prefix));
    snprintf(help, sizeof(help), "%s, by worker", entry->help);
    metrics_begin(out, name, entry->type, help);
    for (unsigned i = 0; i < relay->worker_count; i++) {
        char number[12];
        snprintf(number, sizeof(number), "%u", i);
        metrics_sample(out, name, METRICS_LABELS({"worker", number}),
                       (double)load(&relay->workers[i].stats, entry->offset));
    }
}

static void endpoints_prometheus(struct relay *relay, const struct stat_entry *entries,
                                 size_t count, read_fn read, struct metrics *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct stat_entry *entry = &entries[i];
        metrics_begin(out, entry->prometheus, entry->type, entry->help);
        relay_each_cluster(
            relay, cluster_samples,
            &(struct sample_context){endpoint_sample, read, out, entry->prometheus, entry->offset});
    }
}

void admin_stats_prometheus(struct relay *relay, struct metrics *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(worker_entries); i++) {
        const struct stat_entry *entry = &worker_entries[i];
        metrics_begin(out, entry->prometheus, entry->type, entry->help);
        metrics_sample(out, entry->prometheus, NULL, (double)relay_sum(relay, entry->offset));
        if (is_spread(entry)) {
            workers_prometheus(relay, entry, out);
        }
    }
    endpoints_prometheus(relay, endpoint_entries, ARRAY_SIZE(endpoint_entries), read_number, out);
    endpoints_prometheus(relay, load_entries, ARRAY_SIZE(load_entries), read_load, out);
    static const char healthy[] = "grpcroute_proxy_endpoint_healthy";
    metrics_begin(out, healthy, METRICS_GAUGE, "1 when the last health check was good");
    relay_each_cluster(relay, cluster_samples,
                       &(struct sample_context){healthy_sample, NULL, out, healthy, 0});
    admin_routes_metrics(relay, out);
    admin_ages_metrics(relay, out);
    admin_network_metrics(relay, out);
    admin_certs_metrics(relay, out);
    reload_metrics(relay, out);
    access_log_metrics(relay, out);
    static const char uptime[] = "grpcroute_proxy_uptime_seconds";
    metrics_begin(out, uptime, METRICS_GAUGE, "Seconds since the proxy started");
    metrics_sample(out, uptime, NULL, (double)relay_uptime_s(relay));
    process_metrics(out);
}
