/* `grpcroute agent`: options, N agents, signals.
 *
 * Happy path: agents run until SIGTERM or SIGINT, or until all messages are out: half-close,
 * trailers, exit 0. Failure modes: bad options or files: one line, exit 2, nothing was started. A
 * second signal ends now. */
#include "agent/command.h"

#include "agent/agent.h"
#include "agent/report.h"
#include "agent/stats.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/random.h"
#include "cli/common.h"
#include "cli/exit.h"
#include "net/http.h"
#include "net/traffic.h"
#include "role/connect.h"
#include "role/signals.h"
#include "rpc/ping.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A server cuts longer ones; the suffixes of --count need room too. */
#define ID_MAX   240
#define ID_BYTES 300
/* Agents of one process connect spread over this, so that they are no stampede. */
#define START_SPREAD_MS 5

struct options {
    struct role_connect_options connect;
    struct role_expect_options expect;
    const char *version;
    const char *id;
    uint64_t interval_ns;
    uint64_t count;
    uint64_t messages;
    uint64_t keepalive_ns;
    uint64_t max_backoff_ns;
    struct text_address metrics_listen;
    struct cli_log_options log;
};

/* clang-format off */
static const struct cli_option options_table[] = {
    {.name = "version", .kind = CLI_STRING, .offset = offsetof(struct options, version),
     .argument = "VERSION", .environment = "AGENT_VERSION", .required = true,
     .help = "Version of this agent, sent as agent-version, 1 to 64 visible characters; vX.Y "
             "belongs to server vX"},
    {.name = "id", .kind = CLI_STRING, .offset = offsetof(struct options, id), .argument = "ID",
     .environment = "AGENT_ID",
     .help = "Name of this agent, sent as agent-id; HOSTNAME or a UUID when not given"},
    ROLE_CONNECT_OPTIONS(struct options, connect),
    ROLE_SERVICE_OPTIONS(struct options, connect.service),
    ROLE_EXPECT_OPTIONS(struct options, expect),
    {.name = "interval", .kind = CLI_DURATION, .offset = offsetof(struct options, interval_ns),
     .argument = "DURATION", .fallback = "5s", .min = 1000000, .max = UINT64_C(86400000000000),
     .help = "Time between pings"},
    {.name = "count", .kind = CLI_COUNT, .offset = offsetof(struct options, count), .argument = "N",
     .fallback = "1", .min = 1, .max = 100000,
     .help = "Agents in this process, each with its own connection; ids get -1, -2, ... behind "
             "them"},
    {.name = "messages", .short_name = 'n', .kind = CLI_COUNT,
     .offset = offsetof(struct options, messages), .argument = "N", .fallback = "0", .min = 0,
     .max = UINT32_MAX, .help = "Pings to send, then exit; 0 for no end"},
    {.name = "keepalive", .kind = CLI_DURATION, .offset = offsetof(struct options, keepalive_ns),
     .argument = "DURATION", .fallback = "30s", .max = UINT64_C(86400000000000),
     .help = "PING the connection after this much silence; 0 for never"},
    {.name = "max-backoff", .kind = CLI_DURATION,
     .offset = offsetof(struct options, max_backoff_ns),
     .argument = "DURATION", .fallback = "120s", .min = 1000000000, .max = UINT64_C(86400000000000),
     .help = "Longest pause between connection attempts"},
    {.name = "metrics-listen", .kind = CLI_LISTEN,
     .offset = offsetof(struct options, metrics_listen), .argument = "[HOST]:PORT",
     .help = "Serve Prometheus metrics at /metrics, e.g. :9102"},
    CLI_LOG_OPTIONS(struct options, log),
};
/* clang-format on */

/* The running command. */
struct role {
    struct net_loop loop;
    struct agent_config config;
    struct agent_stats stats;
    struct agent **agents; /* owned */
    size_t count;
    size_t done;
    struct net_http *http;
    struct role_signals signals;
    int signalled; /* signal number, or 0 */
};

/* ---- end ------------------------------------------------------------------------------------- */

static void on_done(void *user)
{
    struct role *role = user;
    if (++role->done < role->count) {
        return;
    }
    role_signals_close(&role->signals);
    net_http_close(role->http);
    role->http = NULL;
}

static void on_signal(void *user, int number, bool again)
{
    struct role *role = user;
    if (again) {
        log_finish();
        _exit(role_signals_exit_code(number));
    }
    role->signalled = number;
    for (size_t i = 0; i < role->count; i++) {
        agent_stop(role->agents[i]);
    }
}

/* ---- start ----------------------------------------------------------------------------------- */

static void handle_metrics(void *user, const struct net_http_request *request,
                           struct net_http_response *response)
{
    const struct role *role = user;
    struct metrics metrics = net_http_metrics_begin(request);
    const struct role_service *service = role->config.target->service;
    agent_stats_write(&role->stats, role->config.version,
                      service != NULL ? service->path : RPC_PING_PATH, &metrics);
    struct net_traffic_sum network = {0};
    net_traffic_add_to(&role->loop.dialled, &network);
    net_traffic_metrics(&metrics, "agent", &network, 1);
    process_metrics(&metrics);
    net_http_metrics_end(&metrics, response);
}

/* For a readiness probe: at least one stream is open. */
static void handle_ready(void *user, const struct net_http_request *request,
                         struct net_http_response *response)
{
    (void)request;
    const struct role *role = user;
    bool ready = role->stats.streams_active > 0;
    const char *text = ready ? "ready\n" : "no stream is open\n";
    response->status = ready ? 200 : 503;
    (void)buf_append(&response->body, text, strlen(text), SIZE_MAX);
}

static const struct net_http_route http_routes[] = {
    {"/metrics", "Prometheus metrics", handle_metrics},
    {"/ready", "200 while a stream is open, else 503", handle_ready, .turn = NET_HTTP_AT_ONCE},
    {0},
};

static void start_agents(struct role *role, const char *id)
{
    role->agents = mem_calloc(role->count, sizeof(struct agent *));
    for (size_t i = 0; i < role->count; i++) {
        char name[ID_BYTES];
        snprintf(name, sizeof(name), role->count > 1 ? "%.240s-%zu" : "%.240s", id, i + 1);
        role->agents[i] = agent_new(&role->config, name, random_below(i * START_SPREAD_MS + 1));
    }
}

static int listen_for_metrics(struct role *role, const struct text_address *address)
{
    struct net_error error;
    if (address->port == 0 && address->host[0] == '\0') {
        return 0; /* not asked for */
    }
    role->http = net_http_open(&role->loop, address, http_routes, role, &error);
    if (role->http == NULL) {
        cli_error("agent", "--metrics-listen: %s", error.text);
        return 1;
    }
    return 0;
}

static void announce_metrics(const struct role *role, const char *id)
{
    const struct log_source source = {"agent", role->config.version, id};
    if (role->http != NULL) {
        log_event(LOG_INFO, &source, "metrics_listening",
                  LOG_PAIRS({"address", net_http_name(role->http)}), "Metrics on http://%s/metrics",
                  net_http_name(role->http));
    }
}

/* An agent without an end is there to be ended, and its log has what it saw. */
static int exit_code(const struct role *role, const struct options *options)
{
    if (options->messages == 0) {
        return EXIT_GOOD;
    }
    if (role->signalled != 0) {
        return role_signals_exit_code(role->signalled);
    }
    if (!agent_stats_clean(&role->stats)) {
        return EXIT_CHECK_FAILED;
    }
    return role->config.expect->rule == ROLE_EXPECT_UNKNOWN || role->stats.unnamed > 0
               ? EXIT_NO_EVIDENCE
               : EXIT_GOOD;
}

static void tell_unchecked(const struct role *role, const char *id)
{
    const struct log_source source = {"agent", role->config.version, id};
    if (role->config.expect->rule == ROLE_EXPECT_UNKNOWN) {
        report_unchecked(&source, role->config.expect);
    }
}

static int serve(struct role *role, const struct options *options, const char *id)
{
    if (listen_for_metrics(role, &options->metrics_listen) != 0) {
        return EXIT_USAGE;
    }
    role_signals_start(&role->signals, &role->loop, on_signal, NULL, role);
    announce_metrics(role, id); /* who reads it may end us */
    log_end_when_unread();
    tell_unchecked(role, id);
    start_agents(role, id);
    net_loop_run(&role->loop);
    for (size_t i = 0; i < role->count; i++) {
        agent_free(role->agents[i]);
    }
    free(role->agents);
    return exit_code(role, options);
}

static struct agent_config make_config(struct role *role, const struct options *options,
                                       const struct role_target *target,
                                       const struct role_expectation *expect)
{
    return (struct agent_config){
        .loop = &role->loop,
        .stats = &role->stats,
        .version = options->version,
        .expect = expect,
        .target = target,
        .interval_ms = options->interval_ns / NS_PER_MS,
        .messages = options->messages,
        .keepalive_ms = options->keepalive_ns / NS_PER_MS,
        .max_backoff_ms = options->max_backoff_ns / NS_PER_MS,
        .on_done = on_done,
        .user = role,
    };
}

static int run_role(const struct options *options, const struct role_target *target,
                    const struct role_expectation *expect, const char *id)
{
    struct role *role = mem_new(struct role);
    net_loop_init(&role->loop);
    role->config = make_config(role, options, target, expect);
    role->count = (size_t)options->count;
    int rv = serve(role, options, id);
    net_loop_deinit(&role->loop);
    free(role);
    return rv;
}

/* The id travels in a header field (gRPC PROTOCOL-HTTP2.md, ASCII-Value). */
static int check_id(const char *id)
{
    size_t len = strlen(id);
    bool good = len > 0 && len <= ID_MAX && id[0] != ' ' && id[len - 1] != ' ';
    for (size_t i = 0; i < len && good; i++) {
        good = id[i] >= 0x20 && id[i] <= 0x7e;
    }
    if (!good) {
        cli_error("agent", "--id: 1 to %d printable ASCII characters, no blank at either end",
                  ID_MAX);
        return 1;
    }
    return 0;
}

static const char *choose_id(const struct options *options, char uuid[static RANDOM_UUID_BYTES])
{
    const char *hostname = getenv("HOSTNAME");
    random_uuid(uuid);
    if (options->id != NULL) {
        return options->id;
    }
    return hostname != NULL && hostname[0] != '\0' ? hostname : uuid;
}

static int run(const void *parsed, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    const struct options *options = parsed;
    char uuid[RANDOM_UUID_BYTES];
    const char *id = choose_id(options, uuid);
    struct role_target target = {0};
    struct role_expects expects = {0};
    int rv = EXIT_USAGE;
    cli_log_apply(&options->log);
    if (cli_check_version("agent", options->version) == 0 && check_id(id) == 0 &&
        role_target_init(&target, "agent", &options->connect) == 0 &&
        role_service_hold(target.service, "agent", 1U << ROLE_CALL_BIDI,
                          "an agent pings on the stream that it holds, expected bidi") == 0 &&
        role_expects_init(&expects, "agent", &options->expect, &options->connect) == 0) {
        const struct role_expectation expect = role_expects_of(&expects, options->version);
        process_raise_fd_limit();
        if (isatty(STDERR_FILENO)) { /* a log has the agent's lines alone */
            role_target_warn(&target, "agent");
        }
        rv = run_role(options, &target, &expect, id);
    }
    role_expects_deinit(&expects);
    role_target_deinit(&target);
    return rv;
}

const struct cli_command agent_command = {
    .name = "agent",
    .summary = "Hold one long-lived PingPong stream per agent, and reconnect for ever",
    .description = "Opens a stream with its version and id as metadata, pings on it, and logs who "
                   "answers. A lost\n"
                   "stream is opened again; the log says what went wrong and, where it is known, "
                   "which setting of\n"
                   "the proxy did it. SIGTERM ends the stream in good order.",
    .examples =
        "  # An agent of version v1.1 through the proxy on this machine\n"
        "  grpcroute agent --version v1.1 --cacert certs/ca.pem\n"
        "  # A thousand agents of v2.1, straight to a server\n"
        "  grpcroute agent --version v2.1 --count 1000 --target localhost:50051 --plaintext\n",
    .options = options_table,
    .option_count = ARRAY_SIZE(options_table),
    .struct_bytes = sizeof(struct options),
    .run = run,
};
