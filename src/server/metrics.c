#include "server/metrics.h"

#include "base/process.h"
#include "server/server.h"

static void one(struct metrics *metrics, const char *name, enum metrics_type type, const char *help,
                const struct metrics_label *labels, uint64_t value)
{
    metrics_begin(metrics, name, type, help);
    metrics_sample(metrics, name, labels, (double)value);
}

void server_metrics_write(const struct server *server, struct metrics *metrics)
{
    const struct server_stats *stats = &server->stats;
    const struct metrics_label *labels = METRICS_LABELS({"server_version", server->version});
    one(metrics, "grpcroute_streams_active", METRICS_GAUGE, "Live PingPong streams", labels,
        stats->streams_active);
    one(metrics, "grpcroute_messages_received_total", METRICS_COUNTER, "Pings received", labels,
        stats->messages_received);
    one(metrics, "grpcroute_messages_sent_total", METRICS_COUNTER, "Pongs sent", labels,
        stats->messages_sent);
    one(metrics, "grpcroute_fd_limit_total", METRICS_COUNTER,
        "Times the limit of open files stopped accepting", labels, stats->fd_limit_hits);
    one(metrics, "grpc_server_started_total", METRICS_COUNTER, "Streams started",
        METRICS_LABELS({"grpc_type", "bidi_stream"}, {"grpc_service", "ping.PingService"},
                       {"grpc_method", "PingPong"}),
        stats->streams_opened);
    static const char handled[] = "grpc_server_handled_total";
    metrics_begin(metrics, handled, METRICS_COUNTER, "Streams ended, by status");
    metrics_sample(metrics, handled,
                   METRICS_LABELS({"grpc_type", "bidi_stream"}, {"grpc_service", "ping.PingService"},
                                  {"grpc_method", "PingPong"}, {"grpc_code", "OK"}),
                   (double)stats->streams_ok);
    metrics_sample(metrics, handled,
                   METRICS_LABELS({"grpc_type", "bidi_stream"}, {"grpc_service", "ping.PingService"},
                                  {"grpc_method", "PingPong"}, {"grpc_code", "other"}),
                   (double)stats->streams_failed);
    process_metrics(metrics);
}
