/* `grpcroute failover-test`: how fast and where do the streams come back when something breaks? */
#include "failover/command.h"

#include "base/mem.h"
#include "base/random.h"
#include "base/text.h"
#include "cli/common.h"
#include "cli/exit.h"
#include "cli/result.h"
#include "failover/judge.h"
#include "failover/print.h"
#include "failover/recipe.h"
#include "failover/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSIONS_MAX 16

struct options {
    struct role_connect_options connect;
    struct role_expect_options expect;
    const char *fault;
    const char *namespace;
    const char *versions;
    const char *meet;
    const char *max_spread;
    const char *max_herd;
    bool roll_call;
    uint64_t agents;
    uint64_t max_gap_ns;
    uint64_t interval_ns;
    uint64_t settle_ns;
    uint64_t seed;
    struct cli_output_options report;
};

static const char default_namespace[] = "grpc-routing-poc";

/* clang-format off */
static const struct cli_option options_table[] = {
    ROLE_CONNECT_OPTIONS(struct options, connect),
    ROLE_SERVICE_OPTIONS(struct options, connect.service),
    ROLE_EXPECT_OPTIONS(struct options, expect),
    {.name = "fault", .kind = CLI_STRING, .offset = offsetof(struct options, fault), .argument = "COMMAND", .required = true,
     .help = "Shell command that breaks something: kills a pod, restarts the proxy, reloads its configuration. Or a short name of one, which is "
             "shown before it runs: scale:NAME=N, rollout:NAME, reload-cert[:...]"},
    {.name = "namespace", .kind = CLI_STRING, .offset = offsetof(struct options, namespace), .argument = "NAME",
     .fallback = default_namespace, .help = "Where scale:, rollout: and reload-cert find what they name; KUBECTL in the environment names another kubectl"},
    {.name = "agents", .kind = CLI_COUNT, .offset = offsetof(struct options, agents), .argument = "N", .fallback = "60",
     .min = 1, .max = 5000, .help = "Streams to hold, each on a connection of its own"},
    {.name = "versions", .kind = CLI_STRING, .offset = offsetof(struct options, versions), .argument = "LIST",
     .fallback = "v1.1,v1.2,v2.1,v2.2", .help = "Agent versions, spread evenly over the streams, in random order"},
    {.name = "meet", .kind = CLI_STRING, .offset = offsetof(struct options, meet), .argument = "LIST",
     .help = "Versions that the fault must interrupt, or all; one that it missed is exit code 4. Without it: every version of a backend of which it "
             "interrupted a stream"},
    {.name = "max-gap", .kind = CLI_DURATION, .offset = offsetof(struct options, max_gap_ns), .argument = "DURATION",
     .fallback = "10s", .min = 1000000, .max = UINT64_C(3600000000000), .help = "How long a stream may be silent"},
    {.name = "interval", .kind = CLI_DURATION, .offset = offsetof(struct options, interval_ns), .argument = "DURATION",
     .fallback = "100ms", .min = 1000000, .max = UINT64_C(60000000000), .help = "Time between the pings of a stream"},
    {.name = "settle", .kind = CLI_DURATION, .offset = offsetof(struct options, settle_ns), .argument = "DURATION",
     .fallback = "2s", .max = UINT64_C(3600000000000), .help = "How long the streams are watched after the fault"},
    {.name = "max-spread", .kind = CLI_STRING, .offset = offsetof(struct options, max_spread), .argument = "PERCENT",
     .help = "Fails when the streams of a backend version are less evenly spread at the end. The spread is the largest deviation of a pod's share from "
             "even, in percent of even: of 100 streams on 4 pods 30 on one of them is 20%. Less than one stream is no deviation. Makes a roll call"},
    {.name = "max-herd", .kind = CLI_STRING, .offset = offsetof(struct options, max_herd), .argument = "RATIO",
     .help = "Fails when more than so many times the mean came back within 100ms. The mean is from the first end to the last reconnect, over at least 1s; "
             "a stream is opened again 100ms after it ended"},
    {.name = "roll-call", .kind = CLI_FLAG, .offset = offsetof(struct options, roll_call),
     .help = "Behind the watch, open 16 new streams or more of each version to find the pods that hold none: those that came and those that get no new ones"},
    CLI_SEED_OPTION(struct options, seed),
    CLI_OUTPUT_OPTIONS(struct options, report),
    CLI_REPORT_OPTION(struct options, report),
};
/* clang-format on */

/* The versions that are tried and who must answer them. */
struct versions {
    char names[VERSIONS_MAX][CLI_AGENT_VERSION_BYTES];
    struct role_expectation expects[VERSIONS_MAX];
    const char *all[VERSIONS_MAX];
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
    failover_find(result);
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
    int rv = versions->count == 0 ||
             role_expects_init(&expects, "failover-test", &options->expect, &options->connect) != 0;
    for (size_t i = 0; i < versions->count && rv == 0; i++) {
        versions->expects[i] = role_expects_of(&expects, versions->names[i]);
        versions->all[i] = versions->names[i];
    }
    role_expects_deinit(&expects);
    return rv;
}

/* What the fault stands for. */
static int take_command(const struct options *options, char out[static FAILOVER_COMMAND_BYTES],
                        struct failover_result *result)
{
    const char *kubectl = getenv("KUBECTL");
    const struct failover_recipe_setting setting = {
        .kubectl = kubectl != NULL && kubectl[0] != '\0' ? kubectl : "kubectl",
        .namespace = options->namespace,
    };
    const char *reason;
    if (!text_is_utf8(options->fault, strlen(options->fault)) ||
        !text_is_utf8(setting.kubectl, strlen(setting.kubectl))) {
        cli_error("failover-test",
                  "--fault: expected a command in UTF-8, for the reports to show it");
        return 1;
    }
    int rv = failover_recipe_expand(options->fault, &setting, out, &reason);
    if (rv < 0) {
        cli_error("failover-test", "--fault '%s': %s", options->fault, reason);
        return 1;
    }
    if (rv > 0 && options->namespace != default_namespace) {
        cli_error(
            "failover-test",
            "--namespace %s: is for scale:, rollout: and reload-cert; a --fault command names "
            "its own",
            options->namespace);
        return 1;
    }
    result->fault = options->fault;
    result->command = rv == 0 ? out : options->fault;
    return 0;
}

/* "10%" or "2.5"; NULL: -1. */
static int take_number(const char *option, const char *text, const char *unit, double least,
                       double *ret)
{
    char *end = NULL;
    *ret = -1;
    if (text == NULL) {
        return 0;
    }
    double number = text[0] >= '0' && text[0] <= '9' ? strtod(text, &end) : -1;
    if (end != NULL && *end != '\0') {
        end += *end == ' ';
        end = strcmp(end, unit) == 0 ? end + strlen(unit) : end;
    }
    if (end == NULL || *end != '\0' || !isfinite(number) || number < least || number > 1e6) {
        cli_error("failover-test", "--%s '%s': expected a number such as %s%s, at least %g", option,
                  text, unit[0] != '\0' ? "10" : "3", unit, least);
        return 1;
    }
    *ret = number;
    return 0;
}

static int take_limits(const struct options *options, struct failover_result *result)
{
    if (take_number("max-spread", options->max_spread, "%", 0, &result->max_spread_percent) != 0 ||
        take_number("max-herd", options->max_herd, "", 1, &result->max_herd) != 0) {
        return 1;
    }
    bool judged = result->max_spread_percent >= 0;
    result->even_percent = judged ? result->max_spread_percent : FAILOVER_EVEN_PERCENT;
    result->roll_call.wanted = options->roll_call || judged;
    return 0;
}

static bool has_version(const struct versions *versions, const char *version)
{
    for (size_t i = 0; i < versions->count; i++) {
        if (strcmp(versions->names[i], version) == 0) {
            return true;
        }
    }
    return false;
}

/* Versions that --meet names: some of those that are tried. */
struct meet {
    char names[VERSIONS_MAX][CLI_AGENT_VERSION_BYTES];
    const char *all[VERSIONS_MAX];
    size_t count;
};

static int take_meet(const char *list, const struct versions *versions, struct meet *meet)
{
    if (list != NULL && strcmp(list, "all") == 0) {
        memcpy(meet->names, versions->names, sizeof(meet->names));
        meet->count = versions->count;
    } else if (list != NULL) {
        meet->count = cli_take_versions("failover-test", list, VERSIONS_MAX, meet->names);
        if (meet->count == 0) {
            return 1;
        }
    }
    for (size_t i = 0; i < meet->count; i++) {
        meet->all[i] = meet->names[i];
        if (!has_version(versions, meet->names[i])) {
            cli_error("failover-test", "--meet: %s is none of --versions", meet->names[i]);
            return 1;
        }
    }
    return 0;
}

/* A stream that pings is silent from one ping to the next: with less than that to be silent for, no
 * stream would be good. A server-stream has a pace of its own. */
static int check_pace(const struct options *options, const struct role_service *service)
{
    char gap[TEXT_DURATION_BYTES];
    char interval[TEXT_DURATION_BYTES];
    if ((service != NULL && role_service_sends_once(service)) ||
        options->max_gap_ns > options->interval_ns) {
        return 0;
    }
    cli_error("failover-test",
              "--max-gap %s is no more than --interval %s, for which a good stream is silent, too; "
              "expected a longer --max-gap, or a shorter --interval",
              text_format_duration(gap, sizeof(gap), options->max_gap_ns),
              text_format_duration(interval, sizeof(interval), options->interval_ns));
    return 1;
}

static int test(const struct options *options, const struct versions *versions,
                struct failover_result *result)
{
    struct role_target target;
    int rv = EXIT_USAGE;
    if (role_target_init(&target, "failover-test", &options->connect) == 0 &&
        role_service_hold(target.service, "failover-test",
                          1U << ROLE_CALL_BIDI | 1U << ROLE_CALL_SERVER_STREAM,
                          "failover-test watches streams that stay open, expected bidi or "
                          "server-stream") == 0 &&
        check_pace(options, target.service) == 0) {
        role_target_warn(&target, "failover-test");
        result->target = target.name;
        result->service = target.service;
        make_streams(result, (size_t)options->agents, versions);
        rv = run_and_print(options, result, &target);
    }
    failover_result_deinit(result);
    role_target_deinit(&target);
    return rv;
}

static int run(const void *parsed, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    const struct options *options = parsed;
    char command[FAILOVER_COMMAND_BYTES];
    struct failover_result result = {.max_gap_ns = options->max_gap_ns,
                                     .seed = cli_seed(options->seed)};
    struct versions *versions = mem_new(struct versions);
    struct meet *meet = mem_new(struct meet);
    int rv = EXIT_USAGE;
    if (take_command(options, command, &result) == 0 && take_limits(options, &result) == 0 &&
        take_versions(options, versions) == 0 && take_meet(options->meet, versions, meet) == 0) {
        result.versions = versions->all;
        result.version_count = versions->count;
        result.must_meet = meet->all;
        result.must_meet_count = meet->count;
        rv = test(options, versions, &result);
    }
    free(meet);
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
                   "last.\n"
                   "Says where the streams are: how they are spread over the pods of each backend "
                   "version before, after and over time,\n"
                   "how they came back, and which pods are black holes: stopped or cut off, with "
                   "streams that stay open and silent.\n"
                   "Versions have their streams in random order, so that the end of a pod meets "
                   "each version with a probability that is told.\n"
                   "A version that the fault missed, while it met others of the same backend, is "
                   "exit code 4: how it comes back was not checked.\n\n"
                   "Short names for --fault, with --namespace and the kubectl that KUBECTL names:\n"
                   "  scale:[KIND/]NAME=N            kubectl scale --replicas=N, and rollout "
                   "status\n"
                   "  rollout:[KIND/]NAME            kubectl rollout restart, and rollout status\n"
                   "  reload-cert[:SECRET=FOLDER]    a Secret anew from cert.pem and key.pem; "
                   "proxy-certs=certs without it\n"
                   "  reload-cert:[SIGNAL@]PID       kill -s HUP, USR1 or USR2; PID or a file with "
                   "it, with a / in its path",
    .examples =
        "  # A pod goes away\n"
        "  grpcroute failover-test --fault 'kubectl delete pod -n grpc-routing-poc "
        "server-v1-abc' --cacert certs/ca.pem\n"
        "  # A new configuration: nothing may be interrupted for long\n"
        "  grpcroute failover-test --fault 'nginx -s reload' --max-gap 1s --target "
        "proxy:8443 --cacert ca.pem\n"
        "  # 5000 streams, with a picture of who was where and when\n"
        "  grpcroute failover-test --agents 5000 --fault 'kubectl rollout restart deployment/proxy-ingress' "
        "--report-file failover.html\n"
        "  # Two more pods: are the streams evenly spread 30s later, and did they not all "
        "come at once?\n"
        "  grpcroute failover-test --agents 200 --fault scale:server-v1=4 --settle 30s "
        "--max-spread 10% --max-herd 3 --cacert certs/ca.pem\n",
    .options = options_table,
    .option_count = ARRAY_SIZE(options_table),
    .struct_bytes = sizeof(struct options),
    .gives_verdict = true,
    .outputs_offset = offsetof(struct options, report),
    .run = run,
};
