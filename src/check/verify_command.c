/* `grpcroute verify`: accuracy and isolation. */
#include "check/command.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "check/every.h"
#include "check/log_session.h"
#include "check/session.h"
#include "check/verify_logs.h"
#include "check/verify_split.h"
#include "cli/exit.h"
#include "role/expect.h"

#include <stdio.h>
#include <string.h>

#define VERSIONS_MAX 64

struct options {
    struct check_session_options session;
    struct check_log_options logs;
    struct role_expect_options expect;
    const char *versions;
    uint64_t messages;
    uint64_t streams;
    uint64_t interval_ns;
    uint64_t seed;
    bool boundary;
    struct verify_split_options split;
    struct every_options every;
};

static const struct cli_option options_table[] = {
    ROLE_CONNECT_OPTIONS(struct options, session.connect),
    ROLE_SERVICE_OPTIONS(struct options, session.connect.service),
    {.name = "versions",
     .kind = CLI_STRING,
     .offset = offsetof(struct options, versions),
     .argument = "LIST",
     .fallback = "v1.1,v1.2,v2.1,v2.2",
     .help = "Agent versions to try, separated by commas"},
    ROLE_EXPECT_OPTIONS(struct options, expect),
    CHECK_MESSAGES_OPTION(struct options, messages, "5", 1),
    {.name = "streams",
     .short_name = 's',
     .kind = CLI_COUNT,
     .offset = offsetof(struct options, streams),
     .argument = "N",
     .fallback = "0",
     .max = CHECK_STREAMS_MAX,
     .help = "Streams of each version, on shared and on separate connections; 0 for 6, and with "
             "--split for as many more as it needs"},
    CHECK_INTERVAL_OPTION(struct options, interval_ns, "10ms"),
    CHECK_LOG_OPTIONS(struct options, logs, check_log_excludes),
    {.name = "boundary",
     .kind = CLI_FLAG,
     .offset = offsetof(struct options, boundary),
     .help = "Also try versions at the edge of the patterns: missing, repeated, malformed"},
    VERIFY_SPLIT_OPTIONS(struct options, split),
    EVERY_OPTIONS(struct options, every),
    CLI_SEED_OPTION(struct options, seed),
    CHECK_TIMEOUT_OPTION(struct options, session.timeout_ns),
    CLI_OUTPUT_OPTIONS(struct options, session.report),
    CLI_REPORT_OPTION(struct options, session.report),
};

/* ---- plan ------------------------------------------------------------------------------------ */

static void add_group(struct check_plan *plan, const struct role_expects *expects,
                      const char *version)
{
    struct check_group *group =
        check_plan_add_group(plan, CHECK_GROUP_VERSION, CHECK_HEADER_ONCE, version);
    group->expect = role_expects_of(expects, version);
}

static int add_versions(struct check_plan *plan, const struct options *options,
                        const struct role_expects *expects)
{
    char versions[VERSIONS_MAX][CLI_AGENT_VERSION_BYTES];
    size_t count = cli_take_versions("verify", options->versions, VERSIONS_MAX, versions);
    for (size_t i = 0; i < count; i++) {
        add_group(plan, expects, versions[i]);
    }
    if (options->logs.sources.count == 0) {
        role_expects_tell_unused(expects, (const char(*)[CLI_AGENT_VERSION_BYTES])versions, count);
    }
    return count > 0 ? 0 : 1;
}

static void add_boundary_group(struct check_plan *plan, const struct role_expects *expects,
                               enum check_header header, const char *version)
{
    const char *const once[] = {version};
    const char *const twice[] = {CHECK_TWICE_FIRST, CHECK_TWICE_SECOND};
    struct check_group *group = check_plan_add_group(plan, CHECK_GROUP_BOUNDARY, header, version);
    switch (header) {
    case CHECK_HEADER_MISSING:
        group->expect = role_expects_at_edge(expects, NULL, 0);
        break;
    case CHECK_HEADER_TWICE:
        group->expect = role_expects_at_edge(expects, twice, ARRAY_SIZE(twice));
        break;
    case CHECK_HEADER_ONCE:
        group->expect = role_expects_at_edge(expects, once, ARRAY_SIZE(once));
        break;
    }
}

static void add_boundary(struct check_plan *plan, const struct role_expects *expects)
{
    static const char *const edges[] = {"v1.0", "v1.9", "v10.0",    "v11.1", "v2.0", "v3.1",
                                        "v1",   "v2",   "v1.0-rc1", "xv1.2", "V1.0", ""};
    for (size_t i = 0; i < ARRAY_SIZE(edges); i++) {
        add_boundary_group(plan, expects, CHECK_HEADER_ONCE, edges[i]);
    }
    add_boundary_group(plan, expects, CHECK_HEADER_MISSING, "");
    add_boundary_group(plan, expects, CHECK_HEADER_TWICE, "");
}

static struct check_plan empty_plan(const struct options *options,
                                    const struct role_expects *expects)
{
    return (struct check_plan){
        .command = CHECK_VERIFY,
        .messages = options->messages,
        .interval_ms = options->interval_ns / NS_PER_MS,
        .rewritten = role_expects_rewrite(expects),
    };
}

static int make_plan(struct check_plan *plan, const struct options *options,
                     const struct role_expects *expects)
{
    if (add_versions(plan, options, expects) != 0) {
        return 1;
    }
    char run_id[RANDOM_UUID_BYTES];
    random_uuid(run_id);
    run_id[8] = '\0'; /* enough to tell runs apart */
    if (options->logs.sources.count > 0) {
        return 0; /* the logs bring their own streams */
    }
    verify_split_add_streams(plan, &options->split, (size_t)options->streams, run_id);
    if (options->boundary) {
        add_boundary(plan, expects);
        check_plan_add_boundary_streams(plan, run_id);
    }
    check_plan_shuffle(plan, cli_seed(options->seed));
    return 0;
}

/* ---- again and again ------------------------------------------------------------------------- */

struct again {
    const struct options *options;
    const struct role_expects *expects;
};

static int make_next_plan(void *user, uint64_t run, struct check_plan *plan)
{
    const struct again *again = user;
    struct options options = *again->options;
    *plan = empty_plan(&options, again->expects);
    if (options.seed > 0) {
        options.seed += run; /* each run has an order of its own */
    }
    return make_plan(plan, &options, again->expects);
}

static int run_every(const struct options *options, const struct role_expects *expects)
{
    struct again again = {options, expects};
    const struct every_config config = {.options = &options->every,
                                        .session = &options->session,
                                        .make_plan = make_next_plan,
                                        .user = &again};
    return every_run(&config);
}

/* Options that only make sense with --every, or without it. */
static int check_every(const struct options *options)
{
    const char *wrong = NULL;
    bool listens =
        options->every.metrics_listen.port != 0 || options->every.metrics_listen.host[0] != '\0';
    if (options->every.interval_ns == 0) {
        wrong = listens ? "--metrics-listen needs --every" : NULL;
    } else if (options->every.interval_ns < 100 * (uint64_t)NS_PER_MS) {
        wrong = "--every: at least 100ms";
    } else if (options->split.split) {
        wrong = "--every does not go with --split: each run may raise a false alarm, and many runs "
                "will";
    } else if (options->session.report.junit_file != NULL ||
               options->session.report.report_file != NULL) {
        wrong = "--every does not go with --junit-file and --report-file, which are for one run";
    }
    if (wrong != NULL) {
        cli_error("verify", "%s", wrong);
    }
    return wrong != NULL;
}

/* ---- run ------------------------------------------------------------------------------------- */

static int init_expects(const struct options *options, struct role_expects *expects)
{
    const struct role_connect_options *connect = &options->session.connect;
    return options->logs.sources.count > 0
               ? verify_logs_expect(expects, &options->expect, connect->service.method)
               : role_expects_init(expects, "verify", &options->expect, connect);
}

static int run_once(struct options *options, struct role_expects *expects)
{
    bool from_logs = options->logs.sources.count > 0;
    struct check_plan plan = empty_plan(options, expects);
    int rv = EXIT_USAGE;
    if (make_plan(&plan, options, expects) == 0) {
        if (!from_logs) { /* others may write them for as long as they like */
            options->session.timeout_ns = check_plan_timeout_ns(&plan, options->session.timeout_ns);
        }
        rv = from_logs ? verify_logs_run(&plan, &options->logs, &options->session, expects)
                       : check_session_run(&plan, &options->session);
    }
    check_plan_deinit(&plan);
    return rv;
}

static int run(const void *parsed, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct options options = *(const struct options *)parsed;
    bool from_logs = options.logs.sources.count > 0;
    struct role_expects expects = {0};
    int rv = EXIT_USAGE;
    options.expect.any_backend = from_logs;
    verify_split_hold(&options.split, &options.messages, &options.interval_ns);
    if (check_every(&options) == 0 && init_expects(&options, &expects) == 0) {
        rv = options.every.interval_ns > 0 ? run_every(&options, &expects)
                                           : run_once(&options, &expects);
    }
    role_expects_deinit(&expects);
    return rv;
}

const struct cli_command verify_command = {
    .name = "verify",
    .summary = "Check that every agent version reaches its server version, and streams keep apart",
    .description =
        "Opens streams of every version, several on shared connections and some on their own,\n"
        "pings on each, and checks who answered: version, pod, the metadata the server saw,\n"
        "order, loss and duplication. Servers that know only the original fields can be checked\n"
        "too; what cannot be seen then is said.\n\n"
        "With --logs nothing is sent: the lines of deployed agents and servers are judged, text\n"
        "or JSON, in UTF-8 or UTF-16, behind the prefix of kubectl, stern, compose, journald,\n"
        "syslog, containerd, Loki or Go's log, in the objects of docker, journald, Loki,\n"
        "Elasticsearch, Fluent Bit, Fluentd, promtail, Vector and clouds, also pretty-printed\n"
        "or all in one, in logfmt and CSV; lines that containerd, docker, journald, Fluent Bit,\n"
        "Fluentd, promtail or Vector cut are joined. In anybody else's text a line may be what a\n"
        "client sent: it is no evidence, and said. A version needs an opened stream and\n"
        "--messages answers. Lines that were not understood are counted and one is shown; where\n"
        "they may be evidence, or evidence is not there, that is exit code 4.\n\n"
        "The same files may hold a proxy's log of streams: what `grpcroute proxy --access-log`\n"
        "writes, Envoy, HAProxy and nginx as `render --access-log` configures them, and Traefik\n"
        "in its own JSON. Each line of a stream that ended says which cluster and endpoint it was\n"
        "sent to: one that was answered is evidence for its version, and is counted apart. The\n"
        "servers behind a cluster are those of the -vN in its name, or of --backend-version; of\n"
        "others nothing is known, which is exit code 4. Streams that the proxy refused, that\n"
        "nobody answered or that have another path than --method's are counted and told.\n\n"
        "With --split the weights of --routes are judged, too: exit code 1 where the shares of\n"
        "new streams rule them out, 4 where there are too few streams to tell. Without\n"
        "--streams there are as many as it takes.\n\n"
        "With --every it verifies until SIGINT or SIGTERM: a line (with -o json an object)\n"
        "where the verdict or its cause changes, a summary at the end, exit code 130 or 143.\n"
        "A run that cannot connect is a failed run, not the end. --json-file holds the report\n"
        "of the last run, written anew after each, and in the end the summary.",
    .examples = "  # The proxy on this machine\n"
                "  grpcroute verify --cacert certs/ca.pem\n"
                "  # A proxy in a cluster, with the versions in use, for a CI server\n"
                "  grpcroute verify --target proxy.example.com:443 --versions v1.4,v2.0 "
                "--junit-file out.xml\n"
                "  # With a picture of which version met which pods\n"
                "  grpcroute verify --report-file verify.html\n"
                "  # What the routes say, also at the edges\n"
                "  grpcroute verify --routes deploy/routes/grpcroute.yaml --boundary\n"
                "  # Whether a canary gets the share that its weight says\n"
                "  grpcroute verify --routes routes.yaml --split\n"
                "  # Each minute, for Prometheus\n"
                "  grpcroute verify --every 1m --metrics-listen :9102\n"
                "  # What the agents and servers of the cluster have logged\n"
                "  grpcroute verify --logs kubectl\n"
                "  # Every stream that went through the proxy, by its own log\n"
                "  kubectl logs deploy/proxy-ingress | grpcroute verify --logs -\n",
    .options = options_table,
    .option_count = ARRAY_SIZE(options_table),
    .struct_bytes = sizeof(struct options),
    .gives_verdict = true,
    .outputs_offset = offsetof(struct options, session.report),
    .run = run,
};
