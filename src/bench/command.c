/* `grpcroute bench`: load on a target; `bench merge` and `bench compare`: reports of such loads. */
#include "bench/command.h"

#include "base/mem.h"
#include "bench/command_impl.h"
#include "bench/compare.h"
#include "cli/exit.h"
#include "cli/result.h"

#include <string.h>

#define HOUR_NS UINT64_C(3600000000000)

/* clang-format off */
static const struct cli_option options_table[] = {
    ROLE_CONNECT_OPTIONS(struct bench_options, connect),
    ROLE_SERVICE_OPTIONS(struct bench_options, connect.service),
    ROLE_EXPECT_OPTIONS(struct bench_options, expect),
    {.name = "connections", .short_name = 'c', .kind = CLI_COUNT,
     .offset = offsetof(struct bench_options, connections), .argument = "N", .fallback = "10",
     .min = 1, .max = BENCH_STREAMS_MAX, .help = "Connections"},
    {.name = "streams", .short_name = 's', .kind = CLI_COUNT,
     .offset = offsetof(struct bench_options, streams), .argument = "N", .fallback = "1", .min = 1,
     .max = 10000, .help = "Streams on each connection, or calls at a time"},
    {.name = "rate", .short_name = 'r', .kind = CLI_COUNT,
     .offset = offsetof(struct bench_options, rate), .argument = "N", .fallback = "1000",
     .max = 10000000,
     .help = "Messages per second over all streams, sent when due whatever the answers do (open "
             "loop); 0: each stream sends when it was answered"},
    {.name = "duration", .short_name = 'z', .kind = CLI_DURATION,
     .offset = offsetof(struct bench_options, duration_ns), .argument = "DURATION",
     .fallback = "10s", .min = 100000000, .max = 24 * HOUR_NS, .help = "Time that counts"},
    {.name = "warmup", .kind = CLI_DURATION, .offset = offsetof(struct bench_options, warmup_ns),
     .argument = "DURATION", .fallback = "1s", .max = HOUR_NS,
     .help = "Load before it that does not count"},
    {.name = "ramp", .kind = CLI_DURATION, .offset = offsetof(struct bench_options, ramp_ns),
     .argument = "DURATION", .fallback = "0", .max = HOUR_NS,
     .help = "Time over which connections are opened"},
    {.name = "size", .kind = CLI_COUNT, .offset = offsetof(struct bench_options, size_bytes),
     .argument = "BYTES", .fallback = "4", .min = 1, .max = 60000,
     .help = "Bytes of text in a ping"},
    {.name = "versions", .kind = CLI_STRING, .offset = offsetof(struct bench_options, versions),
     .argument = "LIST", .fallback = bench_default_versions,
     .help = "Agent versions, which streams take in turn; one that is named here and gets no "
             "stream is exit code 4"},
    {.name = "pid", .kind = CLI_LIST, .offset = offsetof(struct bench_options, pids),
     .argument = "PID", .help = "Also measure CPU and memory of this process on this machine"},
    {.name = "threshold", .kind = CLI_LIST, .offset = offsetof(struct bench_options, thresholds),
     .argument = "LIMIT",
     .help = "Fail unless this holds, e.g. 'p99<5ms', 'rate>=1000'; errors, unopened streams, "
             "lost, unanswered and disordered messages fail it unless one allows them, e.g. "
             "'errors<=3'"},
    {.name = "tolerance", .kind = CLI_COUNT,
     .offset = offsetof(struct bench_options, tolerance_percent), .argument = "PERCENT",
     .fallback = "10", .max = 1000, .inner_only = true,
     .help = "How much worse bench compare lets a figure be"},
    {.name = "metric", .kind = CLI_STRING, .offset = offsetof(struct bench_options, metrics),
     .argument = "LIST", .fallback = COMPARE_METRICS, .inner_only = true,
     .help = "Figures that bench compare judges, those of --threshold and cpu, separated by "
             "commas"},
    CLI_OUTPUT_OPTIONS(struct bench_options, report),
    CLI_REPORT_OPTION(struct bench_options, report),
};
/* clang-format on */

static int parse_thresholds(const struct cli_list *list, struct bench_threshold *thresholds)
{
    for (size_t i = 0; i < list->count; i++) {
        if (bench_threshold_parse(list->values[i], &thresholds[i]) != 0) {
            cli_error("bench", "--threshold %s: expected " THRESHOLD_EXPECTED, list->values[i]);
            return 1;
        }
        for (size_t k = 0; k < i; k++) {
            if (bench_threshold_excludes(&thresholds[k], &thresholds[i])) {
                cli_error("bench", "--threshold %s: contradicts %s, which no value can keep too",
                          list->values[i], list->values[k]);
                return 1;
            }
        }
    }
    return 0;
}

static int run(const void *parsed, int argc, char **argv)
{
    const struct bench_options *options = parsed;
    struct bench_threshold thresholds[CLI_LIST_MAX];
    if (parse_thresholds(&options->thresholds, thresholds) != 0) {
        return EXIT_USAGE;
    }
    if (argc == 0) {
        return bench_load(options, thresholds);
    }
    if (strcmp(argv[0], "merge") == 0) {
        cli_result_begin_inner("bench merge");
        return bench_merge_files(options, thresholds, argc - 1, argv + 1);
    }
    if (strcmp(argv[0], "compare") == 0) {
        cli_result_begin_inner("bench compare");
        return bench_compare_files(options, argc - 1, argv + 1);
    }
    cli_error("bench",
              "\"%s\" is not valid, expected merge FILE..., compare BEFORE NOW..., or nothing",
              argv[0]);
    return EXIT_USAGE;
}

static const char *const inner_commands[] = {"merge", "compare", NULL};

static const struct cli_inner inner_table[] = {
    {"merge",
     (const char *const[]){"threshold", "output", "json-file", "junit-file", "report-file", NULL}},
    {"compare", (const char *const[]){"metric", "tolerance", "output", "json-file", "junit-file",
                                      "report-file", NULL}},
    {NULL, NULL},
};

const struct cli_command bench_command = {
    .name = "bench",
    .summary = "Measure latency, throughput and cost of a proxy or server under long-lived streams",
    .description =
        "Holds --connections times --streams PingPong streams and sends pings on them "
        "at --rate. Each message has a\n"
        "due time and its latency counts from there, so a stall of the target is seen "
        "in full. Every answer is checked\n"
        "as verify does. With --call unary, client-stream or server-stream each message "
        "is a call of its own, --streams\n"
        "of them at a time on a connection, and its latency counts to the call's end.\n\n"
        "`bench merge FILE...` adds reports of several machines (-o json; - is standard "
        "input), `bench compare BEFORE NOW...`\n"
        "shows them side by side and fails when one is worse; with --report-file as "
        "charts over each other.",
    .examples =
        "  # 50 agents, 1000 messages/s, and what that costs the proxy\n"
        "  grpcroute bench -c 50 -r 1000 -z 30s --cacert certs/ca.pem --pid $(pidof envoy)\n"
        "  # A gate for CI, with a page to look at\n"
        "  grpcroute bench --threshold 'p99<5ms' --threshold 'rate>=990' --report-file bench.html\n"
        "  # Unary calls of a service of your own, 500 a second\n"
        "  grpcroute bench --method /shop.Cart/Get --call unary --message-file get.bin -r 500 "
        "--server-from header:x-version\n",
    .positional = "[merge FILE... | compare BEFORE NOW...]",
    .positional_words = inner_commands,
    .positional_files = true,
    .inner = inner_table,
    .options = options_table,
    .option_count = ARRAY_SIZE(options_table),
    .struct_bytes = sizeof(struct bench_options),
    .gives_verdict = true,
    .outputs_offset = offsetof(struct bench_options, report),
    .run = run,
};
