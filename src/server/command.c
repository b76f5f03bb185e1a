/* `grpcroute server`: options, life, signals.
 *
 * Happy path: listen -> streams -> SIGTERM: health NOT_SERVING, GOAWAY, streams end within
 * --drain-timeout -> exit 0.
 * Failure modes: bad options, or the address is in use: one line, exit 2; the descriptor limit: one
 * line, accepting pauses; a second signal ends everything now. */
#include "server/command.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/process.h"
#include "cli/common.h"
#include "cli/exit.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/tls.h"
#include "net/traffic.h"
#include "role/routes.h"
#include "role/signals.h"
#include "rpc/health.h"
#include "rpc/ping.h"
#include "rpc/probe.h"
#include "rpc/reflection.h"
#include "server/certificate.h"
#include "server/probe.h"
#include "server/probe_limits.h"
#include "server/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOSTNAME_BYTES 256
#define METHODS_MAX    8 /* with the end */
/* Agents and proxies with keepalive may ping every 10 s; gRFC A8 lets a server choose. */
#define MIN_PING_INTERVAL_MS 9000
/* A peer that was silent for this long is pinged, so that half-open connections end. */
#define KEEPALIVE_MS      60000
#define FD_LIMIT_EVERY_MS 60000

struct options {
    const char *version;
    const char *id;
    struct text_address listen;
    uint64_t drain_timeout_ns;
    uint64_t max_streams;
    const char *cert; /* with key: TLS instead of h2c */
    const char *key;
    struct text_address metrics_listen;
    bool no_probe;
    struct cli_log_options log;
};

/* clang-format off */
static const struct cli_option options_table[] = {
    {.name = "version", .kind = CLI_VERSION, .offset = offsetof(struct options, version),
     .argument = "vMAJOR", .environment = "SERVER_VERSION", .required = true,
     .help = "Version of this server, told in every pong"},
    {.name = "id", .kind = CLI_STRING, .offset = offsetof(struct options, id), .argument = "ID",
     .environment = "HOSTNAME",
     .help = "Name of this server, told in every pong; the machine's name when not given"},
    {.name = "listen", .kind = CLI_LISTEN, .offset = offsetof(struct options, listen),
     .argument = "[HOST]:PORT", .fallback = ":50051", .environment = "PORT",
     .help = "Where to listen; h2c unless --cert and --key are given"},
    {.name = "cert", .kind = CLI_FILE, .offset = offsetof(struct options, cert), .argument = "FILE",
     .help = "Certificate chain (PEM), to serve TLS where no proxy does; read again when it "
             "changes, and on SIGHUP"},
    {.name = "key", .kind = CLI_FILE, .offset = offsetof(struct options, key), .argument = "FILE",
     .help = "Private key (PEM) of --cert"},
    {.name = "drain-timeout", .kind = CLI_DURATION,
     .offset = offsetof(struct options, drain_timeout_ns), .argument = "DURATION", .fallback = "5s",
     .max = UINT64_C(3600000000000), .help = "On SIGTERM, streams end within this window"},
    {.name = "max-streams", .kind = CLI_COUNT, .offset = offsetof(struct options, max_streams),
     .argument = "N", .fallback = "2048", .min = 1, .max = 100000,
     .help = "Streams on one connection; a proxy's connection carries those of many agents"},
    {.name = "metrics-listen", .kind = CLI_LISTEN,
     .offset = offsetof(struct options, metrics_listen), .argument = "[HOST]:PORT",
     .help = "Serve Prometheus metrics at /metrics, e.g. :9102"},
    {.name = "no-probe", .kind = CLI_FLAG, .offset = offsetof(struct options, no_probe),
     .help = "Do not serve probe.ProbeService, whose streams do as a client says; then `grpcroute "
             "limits` measures less"},
    CLI_LOG_OPTIONS(struct options, log),
};
/* clang-format on */

/* The running command. */
struct role {
    struct server server;
    struct server_probe probe;
    struct rpc_method methods[METHODS_MAX];
    struct net_loop loop;
    struct rpc_server *rpc;
    struct server_certificate certificate; /* none: h2c */
    struct net_http *http;
    struct role_signals signals;
    uint64_t drain_ms;
};

/* What every server serves. */
static const struct rpc_method methods[] = {
    {RPC_PING_PATH, server_ping_start, server_ping_message, server_ping_half_close,
     server_ping_closed},
    {RPC_HEALTH_CHECK_PATH, server_health_start, server_health_check_message,
     server_health_half_close, NULL},
    {RPC_HEALTH_WATCH_PATH, server_health_watch_start, server_health_watch_message, NULL,
     server_health_watch_closed},
    {RPC_REFLECTION_V1_PATH, server_health_start, server_reflection_message,
     server_reflection_half_close, NULL},
    {RPC_REFLECTION_V1ALPHA_PATH, server_health_start, server_reflection_message,
     server_reflection_half_close, NULL},
};

static void fill_methods(struct rpc_method out[static METHODS_MAX], bool probe)
{
    size_t count = ARRAY_SIZE(methods);
    memcpy(out, methods, sizeof(methods));
    if (probe) {
        out[count++] = server_probe_run_method;
        out[count++] = server_probe_seen_method;
    }
    out[count] = (struct rpc_method){.path = NULL};
}

/* The limit is hit again with every pause of the listener: one line a minute is enough. */
static void on_refused(void *user, const struct net_error *why)
{
    struct server *server = user;
    uint64_t now_ms = clock_now_ms();
    if (why->kind != NET_FD_LIMIT) {
        return;
    }
    server->metrics.fd_limit_hits++;
    if (server->fd_limit_told_ms == 0 || now_ms - server->fd_limit_told_ms >= FD_LIMIT_EVERY_MS) {
        server->fd_limit_told_ms = now_ms;
        log_event(LOG_ERROR, &server->source, "fd_limit", NULL, "%s", why->text);
    }
}

/* ---- end ------------------------------------------------------------------------------------- */

static void on_drained(void *user)
{
    struct role *role = user;
    role_signals_end(&role->signals);
    server_certificate_keep(&role->certificate);
    net_http_close(role->http);
    role->http = NULL;
}

/* The second one ends all streams at once. */
static void on_signal(void *user, int number, bool again)
{
    struct role *role = user;
    (void)number;
    if (!again) {
        log_event(LOG_INFO, &role->server.source, "draining", NULL,
                  "Draining: streams end within %llu ms", (unsigned long long)role->drain_ms);
        server_health_drain(&role->server);
    }
    rpc_server_drain(role->rpc, role->drain_ms, on_drained, role);
}

static void on_hangup(void *user)
{
    server_certificate_reload(&((struct role *)user)->certificate);
}

/* ---- start ----------------------------------------------------------------------------------- */

static void handle_metrics(void *user, const struct net_http_request *request,
                           struct net_http_response *response)
{
    const struct role *role = user;
    struct metrics metrics = net_http_metrics_begin(request);
    server_metrics_write(&role->server.metrics, role->server.version, &metrics);
    if (role->server.probe != NULL) {
        server_probe_metrics(role->server.probe, role->server.version, &metrics);
    }
    struct net_traffic_sum network = {0};
    net_traffic_add_to(&role->loop.accepted, &network);
    net_traffic_metrics(&metrics, "server", &network, 1);
    net_http_metrics_end(&metrics, response);
}

static const struct net_http_route http_routes[] = {
    {"/metrics", "Prometheus metrics", handle_metrics},
    {0},
};

static int listen_all(struct role *role, const struct options *options)
{
    struct net_error error;
    if (rpc_server_listen(role->rpc, &options->listen, role->certificate.tls, &error) != 0) {
        cli_error("server", "%s", error.text);
        return 1;
    }
    if (options->metrics_listen.port == 0 && options->metrics_listen.host[0] == '\0') {
        return 0; /* not asked for */
    }
    role->http = net_http_open(&role->loop, &options->metrics_listen, http_routes, role, &error);
    if (role->http == NULL) {
        cli_error("server", "--metrics-listen: %s", error.text);
        return 1;
    }
    return 0;
}

static void announce(const struct role *role, const struct options *options)
{
    char port[8];
    const char *host = options->listen.host[0] != '\0' ? options->listen.host : "0.0.0.0";
    char address[TEXT_ADDRESS_BYTES];
    text_format_address(address, sizeof(address), host, rpc_server_port(role->rpc));
    snprintf(port, sizeof(port), "%u", (unsigned)rpc_server_port(role->rpc));
    log_event(LOG_INFO, &role->server.source, "listening", LOG_PAIRS({"port", port, true}),
              "Listening on %s", address);
    if (role->http != NULL) {
        log_event(LOG_INFO, &role->server.source, "metrics_listening",
                  LOG_PAIRS({"address", net_http_name(role->http)}), "Metrics on http://%s/metrics",
                  net_http_name(role->http));
    }
}

static void serve(struct role *role, const struct options *options)
{
    bool is_tls = role->certificate.tls != NULL;
    role_signals_start(&role->signals, &role->loop, on_signal, is_tls ? on_hangup : NULL, role);
    server_certificate_watch(&role->certificate, &role->loop, role->rpc);
    announce(role, options);
    net_loop_run(&role->loop);
}

static int run_role(struct role *role, const struct options *options)
{
    struct rpc_server_config config = {
        .methods = role->methods,
        .server_user = &role->server,
        .max_streams = (uint32_t)options->max_streams,
        .min_ping_interval_ms = MIN_PING_INTERVAL_MS,
        .keepalive_ms = KEEPALIVE_MS,
        .on_refused = on_refused,
        .on_connection_closed = server_probe_connection_closed,
    };
    if (!options->no_probe) {
        server_probe_init(&role->probe, role->server.id);
        role->server.probe = &role->probe;
        config.header_block_bytes = PROBE_HEADER_BLOCK_BYTES;
        config.header_fields = PROBE_HEADER_FIELDS;
        config.header_path = RPC_PROBE_RUN_PATH;
    }
    net_loop_init(&role->loop);
    role->rpc = rpc_server_new(&role->loop, &config);
    int rv = EXIT_USAGE;
    if (listen_all(role, options) == 0) {
        serve(role, options);
        rv = EXIT_GOOD;
    }
    net_http_close(role->http);
    rpc_server_free(role->rpc);
    server_probe_deinit(&role->probe);
    net_loop_deinit(&role->loop);
    return rv;
}

/* What the option table cannot say. Returns 0, or 1 after one line on standard error. */
static int check_options(const struct options *options)
{
    struct text_version version;
    const char *reason;
    text_parse_version(options->version, &version, &reason); /* the table checked its form */
    if (version.has_minor) {
        cli_error("server",
                  "--version: \"%s\" is an agent's version; a server's is vMAJOR, here v%u",
                  options->version, (unsigned)version.major);
        return 1;
    }
    if ((options->cert == NULL) != (options->key == NULL)) {
        cli_error("server", "--cert and --key belong together: --%s is missing",
                  options->cert == NULL ? "cert" : "key");
        return 1;
    }
    if (options->id != NULL && strlen(options->id) >= SERVER_NAME_BYTES) {
        cli_error("server", "--id: at most %d bytes", SERVER_NAME_BYTES - 1);
        return 1;
    }
    if (options->id != NULL && !text_is_utf8(options->id, strlen(options->id))) {
        cli_error("server", "--id: not UTF-8, which the pong requires");
        return 1;
    }
    return 0;
}

static int run(const void *parsed, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    const struct options *options = parsed;
    char hostname[HOSTNAME_BYTES] = "localhost";
    if (check_options(options) != 0) {
        return EXIT_USAGE;
    }
    gethostname(hostname, sizeof(hostname) - 1);
    cli_log_apply(&options->log);
    process_raise_fd_limit();
    struct role *role = mem_new(struct role);
    role->server.version = options->version;
    role->server.id = options->id != NULL ? options->id : hostname;
    role->server.source = (struct log_source){"server", role->server.version, role->server.id};
    role->drain_ms = options->drain_timeout_ns / NS_PER_MS;
    list_init(&role->server.watchers);
    fill_methods(role->methods, !options->no_probe);
    int rv = EXIT_USAGE;
    if (server_certificate_load(&role->certificate, &role->server.source, options->cert,
                                options->key) == 0) {
        rv = run_role(role, options);
    }
    net_tls_free(role->certificate.tls);
    free(role);
    return rv;
}

const struct cli_command server_command = {
    .name = "server",
    .summary = "Answer PingPong streams, health checks, reflection and probes",
    .description =
        "Answers every ping at once with a pong that names this server. Serves grpc.health.v1 and\n"
        "grpc.reflection.v1 and v1alpha, so gRPC probes and grpcurl work as they are.",
    .examples = "  # Two servers of version v1 on this machine\n"
                "  grpcroute server --version v1 --id one --listen :50051\n"
                "  grpcroute server --version v1 --id two --listen :50052\n"
                "  # What it serves\n"
                "  grpcurl -plaintext localhost:50051 list\n",
    .options = options_table,
    .option_count = ARRAY_SIZE(options_table),
    .struct_bytes = sizeof(struct options),
    .run = run,
};
