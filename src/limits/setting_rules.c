#include "limits/setting_rules.h"

#include "base/clock.h"
#include "base/mem.h"

#define SECONDS(n) ((n)*NS_PER_S)

/* Streams and connections that end look much the same everywhere; what is named of one look is all
 * that is known to have it. */
#define RULE(...) RULE_OF(HOP, __VA_ARGS__)
#define RULE_OF(owner_, shape_, look_, server_, half_, usual_, words_, ...)                        \
    {                                                                                              \
        .owner = LIMITS_OWNER_##owner_, .shape = LIMITS_##shape_, .look = LIMITS_LOOK_##look_,     \
        .server = LIMITS_SERVER_##server_, .half = LIMITS_HALF_##half_, .usual = (usual_),         \
        .words = (words_), .setting = {                                                            \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

/* clang-format off */
const struct limits_rule limits_rules[] = {
    RULE(IDLE, RESET_ENVOY, RESET_ENVOY, ANY, SECONDS(300), NULL,
         "Envoy", "stream_idle_timeout, or idle_timeout of the route", "5m by default",
         "0s, or above the longest silence"),
    RULE(IDLE, CUT, RESET_CANCEL, ANY, 0, NULL,
         "HAProxy", "timeout server", "no default", "above the longest silence"),
    RULE(IDLE, RESET_PROTOCOL, LOST, ANY, SECONDS(60), NULL,
         "nginx", "client_body_timeout", "60s by default", "above the longest silence"),
    RULE(IDLE_SERVER, RESET_INTERNAL, LOST, ANY, SECONDS(60), NULL,
         "nginx", "grpc_read_timeout", "60s by default", "above the server's longest silence"),
    RULE(HALF_CLOSE, RESET_ENVOY, RESET_ENVOY, ANY, SECONDS(15), NULL,
         "Envoy", "timeout of the route", "15s by default", "0s"),
    RULE(HALF_CLOSE, RESET_INTERNAL, RESET_CANCEL, ANY, 0, NULL, /* above a readTimeout */
         "Traefik", "respondingTimeouts.writeTimeout", "off by default, from the stream's begin",
         "0s on the entry point"),
    RULE(AGE_STREAM, RESET_ENVOY, RESET_ENVOY, ANY, 0, NULL,
         "Envoy", "max_stream_duration of the listener, the route or the cluster",
         "off by default", "leave it out, or above the oldest stream"),
    RULE(AGE_STREAM, TRAILERS, ANY, ANY, 0, "DEADLINE_EXCEEDED: deadline exceeded", /* a timeout that the route adds */
         "Envoy", "max_stream_duration of the listener, the route or the cluster",
         "off by default", "leave it out, or above the oldest stream"),
    RULE(AGE_STREAM, RESET_INTERNAL, RESET_CANCEL, NOT, SECONDS(60), NULL,
         "Traefik", "respondingTimeouts.readTimeout", "60s by default", "0s on the entry point"),
    RULE(AGE_STREAM, RESET_INTERNAL, RESET_CANCEL, TOO, 0, NULL,
         "Traefik", "respondingTimeouts.writeTimeout", "off by default", "0s on the entry point"),
    RULE(AGE_STREAM, TRAILERS, ANY, ANY, 0, "--max-stream-age",
         "grpcroute proxy", "--max-stream-age", "off by default", "0, or above the oldest stream"),
    RULE(IDLE_CONNECTION, GOAWAY_TEXT, ANY, ANY, SECONDS(3600), "graceful_shutdown", /* 1.36 */
         "Envoy", "common_http_protocol_options.idle_timeout", "1h by default",
         "above the longest time without a stream"),
    RULE(IDLE_CONNECTION, GOAWAY, ANY, ANY, SECONDS(3600), NULL,
         "Envoy", "common_http_protocol_options.idle_timeout", "1h by default",
         "above the longest time without a stream"),
    RULE(IDLE_CONNECTION, GOAWAY, ANY, ANY, 0, NULL,
         "HAProxy", "timeout http-keep-alive, else timeout http-request, else timeout client",
         "no default", "above the longest time without a stream"),
    RULE(IDLE_CONNECTION, GOAWAY, ANY, ANY, SECONDS(75), NULL,
         "nginx", "keepalive_timeout", "75s by default",
         "above the longest time without a stream"),
    RULE(IDLE_CONNECTION, GOAWAY, ANY, ANY, SECONDS(180), NULL,
         "Traefik", "respondingTimeouts.idleTimeout", "180s by default",
         "above the longest time without a stream"),
    RULE(IDLE_CONNECTION, GOAWAY_TEXT, ANY, ANY, 0, "idle",
         "a gRPC server", "MAX_CONNECTION_IDLE", "off by default",
         "above the longest time without a stream"),
    RULE(AGE_CONNECTION, GOAWAY_TEXT, ANY, ANY, 0, "graceful_shutdown", /* 1.36 */
         "Envoy", "max_connection_duration", "off by default", "leave it out"),
    RULE(AGE_CONNECTION, GOAWAY, ANY, ANY, 0, NULL,
         "Envoy", "max_connection_duration", "off by default", "leave it out"),
    RULE(AGE_CONNECTION, GOAWAY, ANY, ANY, SECONDS(3600), NULL,
         "nginx", "keepalive_time", "1h by default", "as old as a connection may be"),
    RULE(AGE_CONNECTION, GOAWAY, ANY, ANY, 0, NULL,
         "Traefik", "keepAliveMaxTime of the entry point", "off by default", "leave it out"),
    RULE(AGE_CONNECTION, GOAWAY_TEXT, ANY, ANY, 0, "max_age",
         "a gRPC server", "MAX_CONNECTION_AGE", "off by default",
         "leave it out, or give streams MAX_CONNECTION_AGE_GRACE to end"),
    RULE(REQUESTS_PER_CONNECTION, GOAWAY_TEXT, ANY, ANY, 0, "graceful_shutdown", /* 1.36 */
         "Envoy", "max_requests_per_connection of the listener", "off by default", "leave it out"),
    RULE(REQUESTS_PER_CONNECTION, GOAWAY, ANY, ANY, 0, NULL,
         "Envoy", "max_requests_per_connection of the listener", "off by default", "leave it out"),
    RULE(REQUESTS_PER_CONNECTION, GOAWAY, ANY, ANY, 1000, NULL,
         "nginx", "keepalive_requests", "1000 by default, 100 before 1.19.10",
         "as many as clients open on a connection"),
    RULE(REQUESTS_PER_CONNECTION, GOAWAY, ANY, ANY, 0, NULL,
         "Traefik", "keepAliveMaxRequests of the entry point", "off by default", "leave it out"),
    RULE(PING_INTERVAL, GOAWAY_TEXT, ANY, ANY, SECONDS(300), "too_many_pings",
         "a gRPC server",
         "the shortest interval of PINGs that it permits (MinTime, permitKeepAliveTime, "
         "http2.min_recv_ping_interval_without_data)", "5m by default",
         "as short as clients PING"),
    RULE_OF(ANY, PING_INTERVAL, GOAWAY_TEXT, ANY, ANY, SECONDS(9), "too_many_pings",
         "grpcroute proxy and server", "a PING in 9s, and three more", "fixed",
         "clients PING every 10s or less often"),
    RULE(STREAMS_PER_CONNECTION, TEXT, ANY, ANY, 1024, "SETTINGS",
         "Envoy", "http2_protocol_options.max_concurrent_streams of the listener",
         "1024 by default", "as many as a client opens at once"),
    RULE(STREAMS_PER_CONNECTION, TEXT, ANY, ANY, 100, "SETTINGS",
         "HAProxy", "tune.h2.max-concurrent-streams", "100 by default",
         "as many as a client opens at once"),
    RULE(STREAMS_PER_CONNECTION, TEXT, ANY, ANY, 128, "SETTINGS",
         "nginx", "http2_max_concurrent_streams", "128 by default",
         "as many as a client opens at once"),
    RULE(STREAMS_PER_CONNECTION, TEXT, ANY, ANY, 250, "SETTINGS",
         "Traefik", "http2.maxConcurrentStreams of the entry point", "250 by default",
         "as many as a client opens at once"),
    RULE_OF(SERVER, STREAMS_PER_CONNECTION, TEXT, ANY, ANY, 0, "SETTINGS",
         "grpcroute server", "--max-streams", "no limit by default",
         "leave it out, or as many as a client opens at once"),
    RULE(MESSAGE_UP, RESET_INTERNAL, LOST, ANY, 1 << 20, NULL,
         "nginx", "client_max_body_size", "1m by default, for all messages of a stream together",
         "0"),
    RULE(METADATA_UP, GOAWAY_TEXT, ANY, ANY, 0, "ENHANCE_YOUR_CALM",
         "nginx", "large_client_header_buffers", "4 8k by default", "above the largest metadata"),
    RULE(METADATA_UP, RESET_ENVOY, ANY, ANY, 60 << 10, NULL,
         "Envoy", "max_request_headers_kb", "60 by default", "above the largest metadata"),
    RULE(METADATA_UP, RESET_PROTOCOL, ANY, ANY, 15 << 10, NULL,
         "HAProxy", "tune.bufsize, less tune.maxrewrite", "15 KiB by default",
         "above the largest metadata"),
    RULE(METADATA_DOWN, HTTP, LOST, ANY, 15 << 10, NULL,
         "HAProxy", "tune.bufsize, less tune.maxrewrite", "15 KiB by default",
         "above the largest metadata"),
    RULE(METADATA_FIELDS_UP, RESET_REFUSED, ANY, ANY, 101, NULL,
         "HAProxy", "tune.http.maxhdr", "101 by default", "above the most fields"),
    RULE(METADATA_FIELDS_DOWN, RESET_INTERNAL, RESET_CANCEL, ANY, 101, NULL,
         "HAProxy", "tune.http.maxhdr", "101 by default", "above the most fields"),
    RULE(METADATA_DOWN, HTTP, LOST, ANY, 4 << 10, NULL,
         "nginx", "grpc_buffer_size", "4k or 8k by default", "above the largest metadata"),
    RULE(METADATA_DOWN, TRAILERS, RESET_ENVOY, ANY, 60 << 10, "upstream connect error",
         "Envoy",
         "common_http_protocol_options.max_response_headers_kb of the cluster",
         "60 by default", "above the largest metadata"),
    RULE(BUFFERED, TEXT, ANY, ANY, 0, "had to wait",
         "Envoy", "http2_protocol_options.initial_stream_window_size of the listener and the cluster",
         "16 MiB or more by default", "as much as may wait for a slow reader"),
    RULE(BUFFERED, TEXT, ANY, ANY, 88 << 10, "had to wait",
         "HAProxy", "tune.h2.initial-window-size, and tune.bufsize", "64 KiB, and 16 KiB by default",
         "as much as may wait for a slow reader"),
    RULE(BUFFERED, TEXT, ANY, ANY, 0, "had to wait",
         "nginx", "grpc_buffer_size, beside what the sockets hold", "4k or 8k by default",
         "as small as the largest metadata lets it be"),
    RULE(METADATA_FIELDS_UP, RESET_ENVOY, ANY, ANY, 100, NULL,
         "Envoy", "common_http_protocol_options.max_headers_count of the listener",
         "100 by default", "above the most fields"),
    RULE(METADATA_FIELDS_DOWN, TRAILERS, RESET_ENVOY, ANY, 100, "upstream connect error",
         "Envoy", "common_http_protocol_options.max_headers_count of the cluster",
         "100 by default", "above the most fields"),
};
/* clang-format on */

const size_t limits_rule_count = ARRAY_SIZE(limits_rules);
