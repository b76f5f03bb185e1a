/* `grpcroute proxy`. */
#include "proxy/command.h"

#include "base/mem.h"
#include "cli/exit.h"
#include "net/loop.h"
#include "proxy/command_impl.h"
#include "relay/cluster.h"
#include "role/routes.h"

static const char *const fate_names[] = {"keep", "end", NULL};
static const char *const client_cert_names[] = {"required", "optional", NULL};

static const char *const tls_names[] = {"cert", "key", NULL};

static const struct cli_option options_table[] = {
    {.name = "routes",
     .kind = CLI_FILE,
     .offset = offsetof(struct proxy_options, routes),
     .argument = "FILE",
     .environment = "GRPCROUTE_ROUTES",
     .help = "GRPCRoute file (YAML) to route by; without it v2.* goes to server-v2, the rest to "
             "server-v1"},
    {.name = "listen",
     .kind = CLI_LISTEN,
     .offset = offsetof(struct proxy_options, listen),
     .argument = "[HOST]:PORT",
     .fallback = ":8443",
     .help = "Where agents connect"},
    {.name = "cert",
     .kind = CLI_FILE,
     .offset = offsetof(struct proxy_options, cert),
     .argument = "FILE",
     .fallback = "certs/cert.pem",
     .environment = "GRPCROUTE_CERT",
     .help = "Certificate chain (PEM), leaf first"},
    {.name = "key",
     .kind = CLI_FILE,
     .offset = offsetof(struct proxy_options, key),
     .argument = "FILE",
     .fallback = "certs/key.pem",
     .environment = "GRPCROUTE_KEY",
     .help = "Its private key (PEM)"},
    {.name = "client-ca",
     .kind = CLI_FILE,
     .offset = offsetof(struct proxy_options, client_ca),
     .argument = "FILE",
     .help = "Ask clients for a certificate that one of these authorities (PEM) has signed"},
    {.name = "client-cert",
     .kind = CLI_CHOICE,
     .offset = offsetof(struct proxy_options, client_cert),
     .needs = "client-ca",
     .argument = "WHICH",
     .fallback = "required",
     .choices = client_cert_names,
     .help = "Whether a client without a certificate is let in"},
    {.name = "forward-client-cert",
     .kind = CLI_FLAG,
     .offset = offsetof(struct proxy_options, forward_client_cert),
     .needs = "client-ca",
     .help = "Tell servers who a client proved to be (x-forwarded-client-cert)"},
    {.name = "plaintext",
     .kind = CLI_FLAG,
     .offset = offsetof(struct proxy_options, plaintext),
     .excludes = tls_names,
     .help = "Listen without TLS (h2c)"},
    {.name = "no-watch",
     .kind = CLI_FLAG,
     .offset = offsetof(struct proxy_options, no_watch),
     .help = "Do not reload by itself when --routes, --cert, --key or a file of --endpoints "
             "changes; SIGHUP and POST /reload do it then"},
    {.name = "endpoints",
     .kind = CLI_LIST,
     .offset = offsetof(struct proxy_options, endpoints),
     .argument = ROLE_ENDPOINTS_ARGUMENT,
     .help = "Endpoints of the cluster NAME, instead of the addresses of that name; @FILE holds "
             "such values, one in a line, and is read again at each reload"},
    {.name = "lb-policy",
     .kind = CLI_CHOICE,
     .offset = offsetof(struct proxy_options, lb_policy),
     .argument = "POLICY",
     .fallback = "round-robin",
     .choices = lb_policy_names,
     .help = "How new streams are spread over a cluster's endpoints"},
    {.name = "hash-header",
     .kind = CLI_STRING,
     .offset = offsetof(struct proxy_options, hash_header),
     .argument = "NAME",
     .help = "Header that --lb-policy hash looks at (default: agent-id)"},
    {.name = "admin",
     .kind = CLI_LISTEN,
     .offset = offsetof(struct proxy_options, admin),
     .argument = "[HOST]:PORT",
     .fallback = "127.0.0.1:9901",
     .help = "Where the admin port listens; it has no authentication"},
    {.name = "workers",
     .kind = CLI_COUNT,
     .offset = offsetof(struct proxy_options, workers),
     .argument = "N",
     .min = 1,
     .max = RELAY_WORKERS_MAX,
     .help = "Threads, each with its own upstream connections; a client's connection goes to the "
             "one that has the fewest (default: one per usable CPU, by affinity and CPU limit, and "
             "per 32 MiB of the memory limit)"},
    {.name = "coalesce",
     .kind = CLI_DURATION,
     .offset = offsetof(struct proxy_options, coalesce_ns),
     .argument = "DURATION",
     .fallback = "0",
     .max = NET_SPACING_MAX_NS,
     .help = "A worker looks for messages no more often than this: where many come, each costs "
             "less CPU and takes up to twice as much longer; 0 for at once"},
    {.name = "max-streams",
     .kind = CLI_COUNT,
     .offset = offsetof(struct proxy_options, max_streams),
     .argument = "N",
     .fallback = "100",
     .min = 1,
     .max = 100000,
     .help = "Streams a client may hold on one connection"},
    {.name = "max-buffered",
     .kind = CLI_SIZE,
     .offset = offsetof(struct proxy_options, max_buffered),
     .argument = "SIZE",
     .help = "What may wait for slow readers in all; over it the clients that hold the most lose "
             "streams (default: a quarter of the memory limit, at most 128MiB)"},
    {.name = "drain-timeout",
     .kind = CLI_DURATION,
     .offset = offsetof(struct proxy_options, drain_timeout_ns),
     .argument = "DURATION",
     .fallback = "5s",
     .max = UINT64_C(3600000000000),
     .help = "On SIGTERM, streams end within this window"},
    {.name = "keepalive",
     .kind = CLI_DURATION,
     .offset = offsetof(struct proxy_options, keepalive_ns),
     .argument = "DURATION",
     .fallback = "1m",
     .help = "PING a client that was silent for this long; 0 for never"},
    {.name = "max-stream-age",
     .kind = CLI_DURATION,
     .offset = offsetof(struct proxy_options, max_stream_age_ns),
     .argument = "DURATION",
     .fallback = "0",
     .max = UINT64_C(31536000000000000),
     .help = "End a stream that is older, between two messages and with UNAVAILABLE; 0 for never"},
    {.name = "age-jitter",
     .kind = CLI_COUNT,
     .offset = offsetof(struct proxy_options, age_jitter),
     .needs = "max-stream-age",
     .argument = "PERCENT",
     .fallback = "10",
     .min = 0,
     .max = 100,
     .help = "Each stream's --max-stream-age is by up to this much less or more"},
    {.name = "rebalance",
     .kind = CLI_FLAG,
     .offset = offsetof(struct proxy_options, rebalance),
     .help = "When endpoints came, end as many streams as the others have too many, so that they "
             "come back there"},
    {.name = "on-removed",
     .kind = CLI_CHOICE,
     .offset = offsetof(struct proxy_options, on_removed),
     .argument = "FATE",
     .fallback = "keep",
     .choices = fate_names,
     .help = "What becomes of the live streams of an endpoint that is removed"},
    {.name = "on-unhealthy",
     .kind = CLI_CHOICE,
     .offset = offsetof(struct proxy_options, on_unhealthy),
     .argument = "FATE",
     .fallback = "keep",
     .choices = fate_names,
     .help = "What becomes of the live streams of an endpoint that is unhealthy"},
    {.name = "move-window",
     .kind = CLI_DURATION,
     .offset = offsetof(struct proxy_options, move_window_ns),
     .argument = "DURATION",
     .min = 1000000000,
     .max = UINT64_C(86400000000000),
     .help = "Streams that end for one of these three reasons do so spread over this time "
             "(default: 30s)"},
    {.name = "health-interval",
     .kind = CLI_DURATION,
     .offset = offsetof(struct proxy_options, health_interval_ns),
     .argument = "DURATION",
     .fallback = "5s",
     .min = 100000000,
     .max = UINT64_C(3600000000000),
     .help = "How often a healthy endpoint is checked: grpc.health.v1 Check of the whole server, "
             "the first at once; one whose last check failed is asked every second"},
    {.name = "health-timeout",
     .kind = CLI_DURATION,
     .offset = offsetof(struct proxy_options, health_timeout_ns),
     .argument = "DURATION",
     .fallback = "2s",
     .min = 100000000,
     .max = UINT64_C(3600000000000),
     .help = "How long the answer to a check may take"},
    {.name = "unhealthy-threshold",
     .kind = CLI_COUNT,
     .offset = offsetof(struct proxy_options, unhealthy_threshold),
     .argument = "N",
     .fallback = "2",
     .min = 1,
     .max = 1000,
     .help =
         "Checks in a row that are late, reset or answered with an error before an endpoint "
         "gets no new streams. The first check, NOT_SERVING, UNKNOWN and SERVICE_UNKNOWN count at "
         "once; UNIMPLEMENTED and HTTP 404, 405, 415 mean that there is no health service: "
         "healthy"},
    {.name = "healthy-threshold",
     .kind = CLI_COUNT,
     .offset = offsetof(struct proxy_options, healthy_threshold),
     .argument = "N",
     .fallback = "1",
     .min = 1,
     .max = 1000,
     .help = "Good checks in a row before an unhealthy endpoint gets new streams again"},
    {.name = "no-health-checks",
     .kind = CLI_FLAG,
     .offset = offsetof(struct proxy_options, no_health_checks),
     .help = "Do not call grpc.health.v1: an endpoint that takes connections is healthy"},
    {.name = "dns-refresh",
     .kind = CLI_DURATION,
     .offset = offsetof(struct proxy_options, dns_refresh_ns),
     .argument = "DURATION",
     .fallback = "5s",
     .min = 100000000,
     .max = UINT64_C(3600000000000),
     .help = "How often names are resolved again"},
    {.name = "access-log",
     .kind = CLI_FILE,
     .offset = offsetof(struct proxy_options, access_log),
     .argument = "FILE",
     .help = "Append a line of JSON for each stream that ends: who ended it and why, age, messages "
             "and bytes each way, endpoint, pod; - is standard output. Opened anew at SIGHUP"},
    {.name = "access-log-open",
     .kind = CLI_FLAG,
     .offset = offsetof(struct proxy_options, access_log_open),
     .needs = "access-log",
     .help = "And a line for each stream that is opened"},
    {.name = "id",
     .kind = CLI_STRING,
     .offset = offsetof(struct proxy_options, id),
     .argument = "ID",
     .environment = "HOSTNAME",
     .help = "Name in log lines and /server_info"},
    CLI_LOG_OPTIONS(struct proxy_options, log),
};

/* What the table cannot say. Returns NULL, or what is wrong. */
static const char *find_contradiction(const struct proxy_options *options)
{
    if (options->rebalance && options->lb_policy == LB_HASH) {
        return "--rebalance: with --lb-policy hash the header alone says where a stream goes";
    }
    if (options->client_ca != NULL && options->plaintext) {
        return "--client-ca: there are no certificates with --plaintext";
    }
    if (options->hash_header != NULL && options->lb_policy != LB_HASH) {
        return "--hash-header: nothing looks at it without --lb-policy hash";
    }
    if (options->move_window_ns != 0 && !options->rebalance && options->on_removed != FATE_END &&
        options->on_unhealthy != FATE_END) {
        return "--move-window: nothing moves without --rebalance, --on-removed end or "
               "--on-unhealthy end";
    }
    return NULL;
}

static int run(const void *parsed, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    const struct proxy_options *options = parsed;
    const char *contradiction = find_contradiction(options);
    cli_log_apply(&options->log);
    if (contradiction != NULL) {
        cli_error("proxy", "%s", contradiction);
        return EXIT_USAGE;
    }
    struct proxy_config config = proxy_config_of(options);
    return proxy_run(&config);
}

const struct cli_command proxy_command = {
    .name = "proxy",
    .summary = "Route gRPC streams by the agent-version header (TLS in front, h2c behind)",
    .description =
        "Terminates TLS, chooses a cluster by the GRPCRoute file and an endpoint once per stream,\n"
        "and keeps the stream there until it ends. SIGTERM drains: no new streams, GOAWAY, and\n"
        "every stream ends with UNAVAILABLE within --drain-timeout. SIGHUP, POST /reload on the admin\n"
        "port, or a change of a file reads routes, endpoints and certificate again: all or nothing,\n"
        "and no stream ends.",
    .examples = "  # Two servers of each version on this machine\n"
                "  grpcroute proxy --endpoints server-v1=localhost:50051,localhost:50052 \\\n"
                "                  --endpoints server-v2=localhost:50061,localhost:50062\n"
                "  # In a cluster: names resolve to all pods, the admin port is open to the pod "
                "network\n"
                "  grpcroute proxy --routes /etc/grpcroute/routes.yaml --admin :9901\n",
    .options = options_table,
    .option_count = ARRAY_SIZE(options_table),
    .struct_bytes = sizeof(struct proxy_options),
    .run = run,
};
