/* Counters of the agents, written as Prometheus metrics. */
#include "agent/stats.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* gRFC A66's latency buckets, thinned. */
static const uint64_t RTT_BOUNDS_NS[] = {
    50000,     100000,    300000,     600000,     1000000,    2000000,
    4000000,   6000000,   10000000,   20000000,   50000000,   100000000,
    250000000, 500000000, 1000000000, 2500000000, 5000000000, 10000000000,
};

static const uint64_t LIFETIME_BOUNDS_NS[] = {
    UINT64_C(1000000000),    UINT64_C(5000000000),   UINT64_C(15000000000),
    UINT64_C(30000000000),   UINT64_C(60000000000),  UINT64_C(120000000000),
    UINT64_C(300000000000),  UINT64_C(600000000000), UINT64_C(1800000000000),
    UINT64_C(3600000000000),
};

static struct agent_stats_server *find_server(struct agent_stats *stats, const char *version)
{
    for (size_t i = 0; i < stats->server_count; i++) {
        if (strcmp(stats->servers[i].version, version) == 0) {
            return &stats->servers[i];
        }
    }
    bool full = stats->server_count >= AGENT_STATS_SERVERS;
    bool fits = strlen(version) < AGENT_STATS_VERSION_BYTES;
    bool is_other = strcmp(version, "other") == 0; /* else there would be two series of this name */
    if (full || !fits || is_other) {
        struct agent_stats_server *other = &stats->servers[AGENT_STATS_SERVERS];
        snprintf(other->version, sizeof(other->version), "other");
        return other;
    }
    struct agent_stats_server *server = &stats->servers[stats->server_count++];
    snprintf(server->version, sizeof(server->version), "%s", version);
    return server;
}

void agent_stats_answer(struct agent_stats *stats, const char *version,
                        enum agent_stats_verdict verdict)
{
    struct agent_stats_server *server = find_server(stats, version);
    if (verdict == AGENT_STATS_MATCH) {
        server->matches++;
    } else if (verdict == AGENT_STATS_UNCHECKED) {
        server->unchecked++;
    } else {
        server->mismatches++;
        stats->mismatches++;
    }
}

void agent_stats_reconnect(struct agent_stats *stats, const char *reason)
{
    for (size_t i = 0; i < stats->reason_count; i++) {
        if (strcmp(stats->reasons[i].label, reason) == 0) {
            stats->reasons[i].count++;
            return;
        }
    }
    if (stats->reason_count < AGENT_STATS_REASONS) {
        stats->reasons[stats->reason_count++] = (struct agent_stats_reason){reason, 1};
    }
}

bool agent_stats_clean(const struct agent_stats *stats)
{
    return stats->lost == 0 && stats->unexpected == 0 && stats->mixed == 0 && stats->moved == 0 &&
           stats->mismatches == 0 && stats->bad_ends == 0;
}

static void put(struct metrics *metrics, const char *name, enum metrics_type type, const char *help,
                uint64_t value)
{
    metrics_begin(metrics, name, type, help);
    metrics_sample(metrics, name, NULL, (double)value);
}

static void put_decision(struct metrics *metrics, const char *agent_version,
                         const struct agent_stats_server *server, const char *result,
                         uint64_t value)
{
    metrics_sample(metrics, "grpcroute_route_decisions_total",
                   METRICS_LABELS({"agent_version", agent_version},
                                  {"server_version", server->version}, {"result", result}),
                   (double)value);
}

static void put_decisions(const struct agent_stats *stats, const char *agent_version,
                          struct metrics *metrics)
{
    metrics_begin(
        metrics, "grpcroute_route_decisions_total", METRICS_COUNTER,
        "Answers by whether they came from the server version that the agent belongs to.");
    for (size_t i = 0; i < ARRAY_SIZE(stats->servers); i++) {
        const struct agent_stats_server *server = &stats->servers[i];
        if (server->matches > 0) {
            put_decision(metrics, agent_version, server, "match", server->matches);
        }
        if (server->unchecked > 0) {
            put_decision(metrics, agent_version, server, "unchecked", server->unchecked);
        }
        if (server->mismatches > 0) {
            put_decision(metrics, agent_version, server, "mismatch", server->mismatches);
        }
    }
}

static void put_reconnects(const struct agent_stats *stats, struct metrics *metrics)
{
    metrics_begin(metrics, "grpcroute_stream_reconnects_total", METRICS_COUNTER,
                  "Streams and connection attempts that ended and were tried again.");
    for (size_t i = 0; i < stats->reason_count; i++) {
        metrics_sample(metrics, "grpcroute_stream_reconnects_total",
                       METRICS_LABELS({"reason", stats->reasons[i].label}),
                       (double)stats->reasons[i].count);
    }
}

static void put_messages(const struct agent_stats *stats, struct metrics *metrics)
{
    put(metrics, "grpcroute_messages_sent_total", METRICS_COUNTER, "Pings sent.", stats->sent);
    put(metrics, "grpcroute_messages_received_total", METRICS_COUNTER, "Pongs received.",
        stats->received);
    put(metrics, "grpcroute_messages_withdrawn_total", METRICS_COUNTER,
        "Pings that nobody saw, as their stream was ended as planned.", stats->withdrawn);
    put(metrics, "grpcroute_messages_lost_total", METRICS_COUNTER, "Pings without an answer.",
        stats->lost);
    put(metrics, "grpcroute_messages_unexpected_total", METRICS_COUNTER,
        "Answers to no ping of their stream.", stats->unexpected);
    put(metrics, "grpcroute_messages_skipped_total", METRICS_COUNTER,
        "Pings not sent because the server did not read.", stats->skipped);
    put(metrics, "grpcroute_metadata_mismatches_total", METRICS_COUNTER,
        "Answers that carry the metadata of another agent.", stats->mixed);
    put(metrics, "grpcroute_sticky_violations_total", METRICS_COUNTER,
        "Answers from another pod than the first one of their stream.", stats->moved);
}

static void put_calls(const struct agent_stats *stats, const char *path, struct metrics *metrics)
{
    const struct rpc_call_counts calls = {
        .started = stats->streams_opened,
        .received = stats->received,
        .sent = stats->sent,
        .ended = stats->ended,
    };
    rpc_call_metrics(metrics, "client", path, &calls);
}

void agent_stats_write(const struct agent_stats *stats, const char *agent_version, const char *path,
                       struct metrics *metrics)
{
    put_messages(stats, metrics);
    put_decisions(stats, agent_version, metrics);
    put_reconnects(stats, metrics);
    put_calls(stats, path, metrics);
    put(metrics, "grpcroute_streams_active", METRICS_GAUGE, "Streams open now.",
        stats->streams_active);
    metrics_begin(metrics, "grpcroute_message_rtt_seconds", METRICS_HISTOGRAM,
                  "From a ping to its pong.");
    metrics_histogram(metrics, "grpcroute_message_rtt_seconds", NULL, &stats->rtt, RTT_BOUNDS_NS,
                      ARRAY_SIZE(RTT_BOUNDS_NS));
    metrics_begin(metrics, "grpcroute_stream_lifetime_seconds", METRICS_HISTOGRAM,
                  "Ended streams by their age; above 73 minutes they count as 73 minutes.");
    metrics_histogram(metrics, "grpcroute_stream_lifetime_seconds", NULL, &stats->lifetime,
                      LIFETIME_BOUNDS_NS, ARRAY_SIZE(LIFETIME_BOUNDS_NS));
}
