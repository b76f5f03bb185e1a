/* Counters of a server, written as Prometheus metrics. */
#include "server/metrics.h"

#include "base/mem.h"
#include "base/process.h"
#include "rpc/call_metrics.h"
#include "rpc/metadata.h"
#include "rpc/ping.h"

#include <stdio.h>
#include <string.h>

#define SECOND_NS UINT64_C(1000000000)

static const uint64_t LIFETIME_BOUNDS_NS[] = {
    1 * SECOND_NS,   5 * SECOND_NS,   15 * SECOND_NS,  30 * SECOND_NS,   60 * SECOND_NS,
    120 * SECOND_NS, 300 * SECOND_NS, 600 * SECOND_NS, 1800 * SECOND_NS, 3600 * SECOND_NS,
};

static size_t find_version(struct server_metrics *metrics, const char *version)
{
    for (size_t i = 0; i < metrics->version_count; i++) {
        if (strcmp(metrics->versions[i].version, version) == 0) {
            return i;
        }
    }
    size_t len = strlen(version);
    /* A version called "other" would be a second series of the name that all others share. */
    bool plain = len < SERVER_METRICS_VERSION_BYTES && rpc_is_plain_version(version, len) &&
                 strcmp(version, "other") != 0;
    if (!plain || metrics->version_count == SERVER_METRICS_VERSIONS) {
        snprintf(metrics->versions[SERVER_METRICS_VERSIONS].version,
                 sizeof(metrics->versions[0].version), "other");
        return SERVER_METRICS_VERSIONS;
    }
    snprintf(metrics->versions[metrics->version_count].version,
             sizeof(metrics->versions[0].version), "%s", version);
    return metrics->version_count++;
}

size_t server_metrics_opened(struct server_metrics *metrics, const char *agent_version)
{
    size_t index = find_version(metrics, agent_version);
    metrics->versions[index].streams_opened++;
    metrics->versions[index].streams_active++;
    return index;
}

void server_metrics_ended(struct server_metrics *metrics, size_t opened, enum rpc_code code,
                          uint64_t age_ns)
{
    metrics->versions[opened].streams_active--;
    metrics->ended[code]++;
    histogram_add(&metrics->lifetime, age_ns);
}

static void put_active(const struct server_metrics *metrics, const char *server_version,
                       struct metrics *out)
{
    metrics_begin(out, "grpcroute_streams_active", METRICS_GAUGE,
                  "Live PingPong streams by the agent's version.");
    for (size_t i = 0; i < ARRAY_SIZE(metrics->versions); i++) {
        const struct server_version_stats *version = &metrics->versions[i];
        if (version->streams_opened > 0) {
            metrics_sample(out, "grpcroute_streams_active",
                           METRICS_LABELS({"agent_version", version->version},
                                          {"server_version", server_version}),
                           (double)version->streams_active);
        }
    }
}

static void put_counter(struct metrics *out, const char *name, const char *help,
                        const struct metrics_label *labels, uint64_t value)
{
    metrics_begin(out, name, METRICS_COUNTER, help);
    metrics_sample(out, name, labels, (double)value);
}

static uint64_t opened_streams(const struct server_metrics *metrics)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < ARRAY_SIZE(metrics->versions); i++) {
        sum += metrics->versions[i].streams_opened;
    }
    return sum;
}

void server_metrics_write(const struct server_metrics *metrics, const char *server_version,
                          struct metrics *out)
{
    const struct metrics_label *server = METRICS_LABELS({"server_version", server_version});
    put_active(metrics, server_version, out);
    put_counter(out, "grpcroute_messages_received_total", "Pings received.", server,
                metrics->messages_received);
    put_counter(out, "grpcroute_messages_sent_total", "Pongs sent.", server,
                metrics->messages_sent);
    put_counter(out, "grpcroute_fd_limit_total", "Times the limit of open files stopped accepting.",
                server, metrics->fd_limit_hits);
    metrics_begin(out, "grpcroute_stream_lifetime_seconds", METRICS_HISTOGRAM,
                  "Ended streams by their age; above 73 minutes they count as 73 minutes.");
    metrics_histogram(out, "grpcroute_stream_lifetime_seconds", server, &metrics->lifetime,
                      LIFETIME_BOUNDS_NS, ARRAY_SIZE(LIFETIME_BOUNDS_NS));
    const struct rpc_call_counts calls = {
        .started = opened_streams(metrics),
        .received = metrics->messages_received,
        .sent = metrics->messages_sent,
        .ended = metrics->ended,
    };
    rpc_call_metrics(out, "server", RPC_PING_PATH, &calls);
    process_metrics(out);
}
