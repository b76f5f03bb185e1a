/* `grpcroute failover-test`: how fast and where do the streams come back when something breaks? */
#include "failover/command.h"

#include "base/mem.h"
#include "base/random.h"
#include "cli/common.h"
#include "cli/exit.h"
#include "cli/result.h"
#include "failover/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSIONS_MAX 16

struct options {
    struct role_connect_options connect;
    struct role_expect_options expect;
    const char *fault;
    const char *versions;
    uint64_t agents;
    uint64_t max_gap_ns;
    uint64_t interval_ns;
    uint64_t settle_ns;
    uint64_t seed;
    struct cli_output_options report;
};

/* clang-format off */
static const struct cli_option options_table[] = {
    ROLE_CONNECT_OPTIONS(struct options, connect),
    ROLE_SERVICE_OPTIONS(struct options, connect.service),
    ROLE_EXPECT_OPTIONS(struct options, expect),
    {.name = "fault", .kind = CLI_STRING, .offset = offsetof(struct options, fault), .argument = "COMMAND", .required = true,
     .help = "Shell command that breaks something: kills a pod, restarts the proxy, reloads its configuration"},
    {.name = "agents", .kind = CLI_COUNT, .offset = offsetof(struct options, agents), .argument = "N", .fallback = "20",
     .min = 1, .max = 5000, .help = "Streams to hold, each on a connection of its own"},
    {.name = "versions", .kind = CLI_STRING, .offset = offsetof(struct options, versions), .argument = "LIST",
     .fallback = "v1.1,v1.2,v2.1,v2.2", .help = "Agent versions, spread evenly over the streams, in random order"},
    {.name = "max-gap", .kind = CLI_DURATION, .offset = offsetof(struct options, max_gap_ns), .argument = "DURATION",
     .fallback = "10s", .min = 1000000, .max = UINT64_C(3600000000000), .help = "How long a stream may be silent"},
    {.name = "interval", .kind = CLI_DURATION, .offset = offsetof(struct options, interval_ns), .argument = "DURATION",
     .fallback = "100ms", .min = 1000000, .max = UINT64_C(60000000000), .help = "Time between the pings of a stream"},
    {.name = "settle", .kind = CLI_DURATION, .offset = offsetof(struct options, settle_ns), .argument = "DURATION",
     .fallback = "2s", .max = UINT64_C(3600000000000), .help = "How long the streams are watched after the fault"},
    CLI_SEED_OPTION(struct options, seed),
    CLI_OUTPUT_OPTIONS(struct options, report),
    CLI_REPORT_OPTION(struct options, report),
};
/* clang-format on */

/* The versions that are tried and who must answer them. */
struct versions {
    char names[VERSIONS_MAX][CLI_AGENT_VERSION_BYTES];
    struct role_expectation expects[VERSIONS_MAX];
    size_t count;
};

/* Proxies hand out endpoints in turn. In a regular order all streams of an endpoint would be of the
 * same versions, and so would be those that a fault interrupts. */
static void make_streams(struct failover_result *result, size_t count,
                         const struct versions *versions)
{
    uint64_t seed = result->seed;
    size_t *order = mem_calloc(count, sizeof(*order));
    for (size_t i = 0; i < count; i++) {
        order[i] = i % versions->count;
    }
    random_shuffle(&seed, order, count, sizeof(*order));
    result->streams = mem_calloc(count, sizeof(*result->streams));
    result->stream_count = count;
    for (size_t i = 0; i < count; i++) {
        struct failover_stream *stream = &result->streams[i];
        stream->version = versions->names[order[i]];
        stream->expect = &versions->expects[order[i]];
        snprintf(stream->agent_id, sizeof(stream->agent_id), "failover-%zu", i + 1);
    }
    free(order);
}

static int run_and_print(const struct options *options, struct failover_result *result,
                         const struct role_target *target)
{
    const struct failover_config config = {
        .target = target,
        .interval_ns = options->interval_ns,
        .settle_ns = options->settle_ns,
    };
    static const struct cli_printers printers = {
        .text = failover_print_text,
        .json = failover_print_json,
        .markdown = failover_print_markdown,
        .junit = failover_print_junit,
        .page = failover_print_page,
    };
    char message[FAILOVER_SUMMARY_BYTES];
    (void)failover_run(result, &config); /* which the result says, too */
    const struct cli_result told = {
        .command = "failover-test",
        .target = result->target,
        .exit_code = failover_exit_code(result),
        .message = failover_summary(result, message),
    };
    return cli_result_tell(&told, &printers, result, &options->report);
}

static int take_versions(const struct options *options, struct versions *versions)
{
    struct role_expects expects = {0};
    versions->count =
        cli_take_versions("failover-test", options->versions, VERSIONS_MAX, versions->names);
    int rv = versions->count == 0 || role_expects_init(&expects, "failover-test", &options->expect,
                                                       &options->connect) != 0;
    for (size_t i = 0; i < versions->count && rv == 0; i++) {
        versions->expects[i] = role_expects_of(&expects, versions->names[i]);
    }
    role_expects_deinit(&expects);
    return rv;
}

static int test(const struct options *options, const struct versions *versions)
{
    struct role_target target;
    struct failover_result result = {.fault = options->fault,
                                     .max_gap_ns = options->max_gap_ns,
                                     .seed = cli_seed(options->seed)};
    int rv = EXIT_USAGE;
    if (role_target_init(&target, "failover-test", &options->connect) == 0 &&
        role_service_hold(target.service, "failover-test",
                          1U << ROLE_CALL_BIDI | 1U << ROLE_CALL_SERVER_STREAM,
                          "failover-test watches streams that stay open, expected bidi or "
                          "server-stream") == 0) {
        role_target_warn(&target, "failover-test");
        result.target = target.name;
        result.service = target.service;
        make_streams(&result, (size_t)options->agents, versions);
        rv = run_and_print(options, &result, &target);
    }
    failover_result_deinit(&result);
    role_target_deinit(&target);
    return rv;
}

static int run(const void *parsed, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    const struct options *options = parsed;
    if (!text_is_utf8(options->fault, strlen(options->fault))) {
        cli_error("failover-test",
                  "--fault: expected a command in UTF-8, for the reports to show it");
        return EXIT_USAGE;
    }
    struct versions *versions = mem_new(struct versions);
    int rv = take_versions(options, versions) == 0 ? test(options, versions) : EXIT_USAGE;
    free(versions);
    return rv;
}

const struct cli_command failover_test_command = {
    .name = "failover-test",
    .summary = "Break something while streams are open, and see how fast and where they come back",
    .description = "Opens --agents streams, each on a connection of its own as agents have, pings "
                   "on them, and runs the --fault command.\n"
                   "Streams that end are opened again at once. Says per stream how long it was "
                   "silent, what it saw, where it came back,\n"
                   "and what was lost, misrouted or answered twice; fails when one was silent for "
                   "longer than --max-gap,\n"
                   "or when its server ends it with anything but OK after it was half-closed at "
                   "last.",
    .examples = "  # A pod goes away\n"
                "  grpcroute failover-test --fault 'kubectl delete pod -n grpc-routing-poc "
                "server-v1-abc' --cacert certs/ca.pem\n"
                "  # A new configuration: nothing may be interrupted for long\n"
                "  grpcroute failover-test --fault 'nginx -s reload' --max-gap 1s --target "
                "proxy:8443 --cacert ca.pem\n"
                "  # 5000 streams, with a picture of who was where and when\n"
                "  grpcroute failover-test --agents 5000 --fault 'kubectl rollout restart deployment/proxy-ingress' "
                "--report-file failover.html\n",
    .options = options_table,
    .option_count = ARRAY_SIZE(options_table),
    .struct_bytes = sizeof(struct options),
    .gives_verdict = true,
    .outputs_offset = offsetof(struct options, report),
    .run = run,
};
