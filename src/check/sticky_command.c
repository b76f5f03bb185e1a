/* `grpcroute sticky-test`: do all messages of a stream stay on one pod? */
#include "check/command.h"

#include "base/clock.h"
#include "base/mem.h"
#include "check/log_session.h"
#include "check/session.h"
#include "cli/exit.h"
#include "cli/result.h"
#include "rpc/ping.h"

#include <stdio.h>

struct options {
    struct check_session_options session;
    struct check_log_options logs;
    struct role_expect_options expect;
    const char *version;
    const char *id;
    uint64_t messages;
    uint64_t agents;
    uint64_t interval_ns;
};

static const struct cli_option options_table[] = {
    ROLE_CONNECT_OPTIONS(struct options, session.connect),
    ROLE_SERVICE_OPTIONS(struct options, session.connect.service),
    ROLE_EXPECT_OPTIONS(struct options, expect),
    {.name = "version",
     .kind = CLI_STRING,
     .offset = offsetof(struct options, version),
     .argument = "VERSION",
     .fallback = "v1.1",
     .help = "Version of the agents to play"},
    {.name = "id",
     .kind = CLI_STRING,
     .offset = offsetof(struct options, id),
     .argument = "ID",
     .fallback = "agent-v1-1",
     .help = "Their agent-id; several get -1, -2, ... behind it. With --logs: how the ids of the "
             "agents begin"},
    CHECK_MESSAGES_OPTION(struct options, messages, "20", 2),
    {.name = "agents",
     .kind = CLI_COUNT,
     .offset = offsetof(struct options, agents),
     .argument = "N",
     .fallback = "1",
     .min = 1,
     .max = 1000,
     .help = "Streams at once, on one connection"},
    CHECK_INTERVAL_OPTION(struct options, interval_ns, "100ms"),
    CHECK_LOG_OPTIONS(struct options, logs, check_sticky_log_excludes),
    CHECK_TIMEOUT_OPTION(struct options, session.timeout_ns),
    CLI_OUTPUT_OPTIONS(struct options, session.report),
    CLI_REPORT_OPTION(struct options, session.report),
};

/* Pings take their time; connecting and answering get this much more. */
#define SLACK_NS UINT64_C(10000000000)

static void judge_logs(struct check_logs *logs, void *user, struct check_report *ret_report)
{
    const struct options *options = user;
    if (options->session.report.output == CLI_OUTPUT_TEXT) {
        fprintf(cli_text_stream(&options->session.report), "Testing sticky routing for %s...\n",
                options->id);
    }
    check_logs_sticky(logs, options->id, ret_report);
    if (logs->plan->group_count == 0) {
        cli_flush(stdout);
        cli_error("sticky-test", "no agent in the logs has an id that begins with %s", options->id);
    }
}

static int run_logs(struct options *options)
{
    struct check_plan plan = {.command = CHECK_STICKY, .messages = options->messages};
    const struct check_log_owner owner = {.path = RPC_PING_PATH, .user = options};
    int rv = check_log_session_run(&plan, &options->logs, &options->session, &owner, judge_logs);
    check_plan_deinit(&plan);
    return rv;
}

static int probe(const struct options *options, const struct role_expectation *expect,
                 bool rewritten)
{
    struct check_session_options session = options->session;
    if (session.timeout_ns == 0) {
        session.timeout_ns = options->messages * options->interval_ns + SLACK_NS;
    }
    struct check_plan plan = {
        .command = CHECK_STICKY,
        .messages = options->messages,
        .interval_ms = options->interval_ns / NS_PER_MS,
        .rewritten = rewritten,
    };
    check_plan_add_agents(&plan, options->version, options->id, (size_t)options->agents);
    for (size_t i = 0; i < plan.group_count; i++) {
        plan.groups[i].expect = *expect;
    }
    int rv = check_session_run(&plan, &session);
    check_plan_deinit(&plan);
    return rv;
}

static int run(const void *parsed, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    const struct options *options = parsed;
    if (options->logs.sources.count > 0) {
        struct options own = *options;
        return run_logs(&own);
    }
    struct role_expects expects = {0};
    int rv = EXIT_USAGE;
    if (cli_check_version("sticky-test", options->version) == 0 &&
        role_expects_init(&expects, "sticky-test", &options->expect, &options->session.connect) ==
            0) {
        const struct role_expectation expect = role_expects_of(&expects, options->version);
        rv = probe(options, &expect, role_expects_rewrite(&expects));
    }
    role_expects_deinit(&expects);
    return rv;
}

const struct cli_command sticky_test_command = {
    .name = "sticky-test",
    .summary = "Check that all messages of a stream stay on one pod",
    .description =
        "Holds one stream per agent, pings on it, and checks that the same pod answers every\n"
        "time. With --logs nothing is sent: the streams that deployed agents have logged are\n"
        "judged, each needs --messages answers. A proxy's log of streams proves nothing here: it\n"
        "says where a stream was sent, once, and not that all its messages stayed there.",
    .examples = "  # Twenty messages on one stream\n"
                "  grpcroute sticky-test --cacert certs/ca.pem\n"
                "  # Fifty agents of v2.1 for ten minutes\n"
                "  grpcroute sticky-test --version v2.1 --agents 50 --messages 600 --interval 1s\n",
    .options = options_table,
    .option_count = ARRAY_SIZE(options_table),
    .struct_bytes = sizeof(struct options),
    .gives_verdict = true,
    .outputs_offset = offsetof(struct options, session.report),
    .run = run,
};
