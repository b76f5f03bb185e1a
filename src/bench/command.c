/* `grpcroute bench`: load on a target; `bench merge` and `bench compare`: reports of such loads. */
#include "bench/command.h"

#include "base/mem.h"
#include "bench/compare.h"
#include "bench/cost.h"
#include "bench/driver.h"
#include "bench/judge.h"
#include "bench/page.h"
#include "bench/report.h"
#include "bench/tell.h"
#include "cli/common.h"
#include "cli/exit.h"
#include "cli/result.h"
#include "cli/terminal.h"
#include "rpc/ping.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_NS     UINT64_C(3600000000000)
#define STREAMS_MAX 100000

struct options {
    struct role_connect_options connect;
    struct role_expect_options expect;
    uint64_t connections;
    uint64_t streams;
    uint64_t rate;
    uint64_t duration_ns;
    uint64_t warmup_ns;
    uint64_t ramp_ns;
    uint64_t size_bytes;
    const char *versions;
    struct cli_list pids;
    struct cli_list thresholds;
    uint64_t tolerance_percent;
    const char *metrics;
    struct cli_output_options report;
};

/* clang-format off */
static const struct cli_option options_table[] = {
    ROLE_CONNECT_OPTIONS(struct options, connect),
    ROLE_SERVICE_OPTIONS(struct options, connect.service),
    ROLE_EXPECT_OPTIONS(struct options, expect),
    {.name = "connections", .short_name = 'c', .kind = CLI_COUNT,
     .offset = offsetof(struct options, connections), .argument = "N", .fallback = "10", .min = 1,
     .max = STREAMS_MAX, .help = "Connections"},
    {.name = "streams", .short_name = 's', .kind = CLI_COUNT,
     .offset = offsetof(struct options, streams), .argument = "N", .fallback = "1", .min = 1,
     .max = 10000, .help = "Streams on each connection, or calls at a time"},
    {.name = "rate", .short_name = 'r', .kind = CLI_COUNT, .offset = offsetof(struct options, rate),
     .argument = "N", .fallback = "1000", .max = 10000000,
     .help = "Messages per second over all streams, sent when due whatever the answers do (open "
             "loop); 0: each stream sends when it was answered"},
    {.name = "duration", .short_name = 'z', .kind = CLI_DURATION,
     .offset = offsetof(struct options, duration_ns), .argument = "DURATION", .fallback = "10s",
     .min = 100000000, .max = 24 * HOUR_NS, .help = "Time that counts"},
    {.name = "warmup", .kind = CLI_DURATION, .offset = offsetof(struct options, warmup_ns),
     .argument = "DURATION", .fallback = "1s", .max = HOUR_NS,
     .help = "Load before it that does not count"},
    {.name = "ramp", .kind = CLI_DURATION, .offset = offsetof(struct options, ramp_ns),
     .argument = "DURATION", .fallback = "0", .max = HOUR_NS,
     .help = "Time over which connections are opened"},
    {.name = "size", .kind = CLI_COUNT, .offset = offsetof(struct options, size_bytes),
     .argument = "BYTES", .fallback = "4", .min = 1, .max = 60000,
     .help = "Bytes of text in a ping"},
    {.name = "versions", .kind = CLI_STRING, .offset = offsetof(struct options, versions),
     .argument = "LIST", .fallback = "v1.1,v1.2,v2.1,v2.2",
     .help = "Agent versions, which streams take in turn"},
    {.name = "pid", .kind = CLI_LIST, .offset = offsetof(struct options, pids),
     .argument = "PID", .help = "Also measure CPU and memory of this process on this machine"},
    {.name = "threshold", .kind = CLI_LIST, .offset = offsetof(struct options, thresholds),
     .argument = "LIMIT",
     .help = "Fail unless this holds, e.g. 'p99<5ms', 'rate>=1000'; errors, unopened streams, "
             "lost, unanswered and disordered messages fail it unless one allows them, e.g. "
             "'errors<=3'"},
    {.name = "tolerance", .kind = CLI_COUNT, .offset = offsetof(struct options, tolerance_percent),
     .argument = "PERCENT", .fallback = "10", .max = 1000,
     .help = "How much worse bench compare lets a figure be"},
    {.name = "metric", .kind = CLI_STRING, .offset = offsetof(struct options, metrics),
     .argument = "LIST", .fallback = COMPARE_METRICS,
     .help = "Figures that bench compare judges, those of --threshold and cpu, separated by "
             "commas"},
    CLI_OUTPUT_OPTIONS(struct options, report),
    CLI_REPORT_OPTION(struct options, report),
};
/* clang-format on */

/* ---- options --------------------------------------------------------------------------------- */

static int take_pids(const struct cli_list *list, struct bench_setup *setup)
{
    for (size_t i = 0; i < list->count; i++) {
        uint64_t pid;
        const char *reason;
        if (strpbrk(list->values[i], ", ") != NULL) {
            cli_error("bench", "--pid %s: expected one process id; give --pid once for each",
                      list->values[i]);
            return 1;
        }
        if (text_parse_u64(list->values[i], 1, INT_MAX, &pid, &reason) != 0 ||
            setup->pid_count == BENCH_PIDS_MAX) {
            cli_error("bench", "--pid %s: expected a process id, and %d of them at most",
                      list->values[i], BENCH_PIDS_MAX);
            return 1;
        }
        if (!bench_cost_is_readable((pid_t)pid)) {
            cli_error("bench", "--pid %s: %s", list->values[i],
                      errno == ENOENT ? "there is no such process"
                                      : "its memory may not be read; run as its user or as root");
            return 1;
        }
        setup->pids[setup->pid_count++] = (pid_t)pid;
    }
    return 0;
}

static int take_setup(const struct options *options, struct bench_setup *setup)
{
    setup->tls = !options->connect.plaintext;
    setup->connections = options->connections;
    setup->streams = options->streams;
    setup->rate = options->rate;
    setup->duration_ns = options->duration_ns;
    setup->warmup_ns = options->warmup_ns;
    setup->ramp_ns = options->ramp_ns;
    setup->size_bytes = options->size_bytes;
    if (options->connections * options->streams > STREAMS_MAX) {
        cli_error("bench", "--connections times --streams is more than %d", STREAMS_MAX);
        return 1;
    }
    setup->version_count =
        cli_take_versions("bench", options->versions, BENCH_VERSIONS_MAX, setup->versions);
    return setup->version_count == 0 || take_pids(&options->pids, setup) != 0;
}

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

/* ---- commands -------------------------------------------------------------------------------- */

static int drive_at(const struct role_target *target, const struct options *options,
                    const struct role_expectation *expects,
                    const struct bench_threshold *thresholds, struct bench_result *result)
{
    const struct bench_driver_config config = {.target = target, .expects = expects};
    memcpy(result->setup.target, target->name, sizeof(result->setup.target));
    struct bench_verdict verdict;
    struct bench_page page = {.command = "bench", .runs = {result}, .run_count = 1};
    int rv = bench_drive(result, &config);
    if (rv == EXIT_USAGE) {
        return rv;
    }
    bench_judge(result, thresholds, options->thresholds.count, &verdict);
    page.verdict = rv != EXIT_NO_CONNECTION ? &verdict : NULL;
    page.exit_code = rv == EXIT_GOOD ? verdict.exit_code : rv;
    return bench_tell(&page, &options->report);
}

/* Who must answer each version. */
static void take_expectations(const struct role_expects *expects, struct bench_result *result,
                              struct role_expectation expected[static BENCH_VERSIONS_MAX])
{
    for (size_t i = 0; i < result->setup.version_count; i++) {
        expected[i] = role_expects_of(expects, result->setup.versions[i]);
        if (expected[i].rule == ROLE_EXPECT_UNKNOWN) {
            bench_add_unchecked(result, result->setup.versions[i], expected[i].reason);
        }
    }
}

static int take_service(const struct role_service *service, struct bench_setup *setup)
{
    snprintf(setup->method, sizeof(setup->method), "%s",
             service != NULL ? service->path : RPC_PING_PATH);
    if (service == NULL) {
        return 0;
    }
    setup->call = service->call;
    setup->size_bytes = service->message_len;
    return bench_is_per_call(service->call)
               ? 0 /* trailers are there in time */
               : role_service_hold(service, "bench", 1U << ROLE_CALL_BIDI, "");
}

static int drive(const struct options *options, const struct bench_threshold *thresholds)
{
    struct bench_result *result = mem_new(struct bench_result);
    struct role_target target = {0};
    struct role_expects expects = {0};
    struct role_expectation expected[BENCH_VERSIONS_MAX];
    int rv = EXIT_USAGE;
    if (take_setup(options, &result->setup) == 0 &&
        role_expects_init(&expects, "bench", &options->expect, &options->connect) == 0 &&
        role_target_init(&target, "bench", &options->connect) == 0 &&
        take_service(target.service, &result->setup) == 0) {
        role_target_warn(&target, "bench");
        take_expectations(&expects, result, expected);
        rv = drive_at(&target, options, expected, thresholds, result);
    }
    role_expects_deinit(&expects);
    role_target_deinit(&target);
    bench_result_deinit(result);
    free(result);
    return rv;
}

/* Standard input can be read to its end once. */
static int check_files(int argc, char **argv)
{
    int dashes = 0;
    for (int i = 0; i < argc; i++) {
        dashes += strcmp(argv[i], "-") == 0;
    }
    if (dashes > 1) {
        cli_error("bench", "-: standard input can be read only once");
    }
    return dashes > 1;
}

/* Returns 0 with a result that the caller owns, or an exit code and NULL. */
static int read_report(const char *path, struct bench_result **ret)
{
    char reason[REPORT_REASON_BYTES];
    struct bench_result *result = mem_new(struct bench_result);
    int rv = bench_report_read(path, result, reason);
    if (rv != 0) {
        cli_error("bench", "%s: %s", path, reason);
        free(result);
        result = NULL;
    }
    *ret = result;
    return rv;
}

static int merge(const struct options *options, const struct bench_threshold *thresholds, int argc,
                 char **argv)
{
    if (argc == 0) {
        cli_error("bench", "merge: expected the files of reports made with bench -o json");
    }
    if (argc == 0 || check_files(argc, argv) != 0) {
        return EXIT_USAGE;
    }
    struct bench_result *sum;
    int rv = read_report(argv[0], &sum);
    for (int i = 1; i < argc && rv == EXIT_GOOD; i++) {
        struct bench_result *one;
        rv = read_report(argv[i], &one);
        if (rv == EXIT_GOOD) {
            bench_merge(sum, one);
            bench_result_deinit(one);
            free(one);
        }
    }
    if (rv == EXIT_GOOD) {
        struct bench_verdict verdict;
        bench_judge(sum, thresholds, options->thresholds.count, &verdict);
        const struct bench_page page = {
            .command = "bench merge",
            .runs = {sum},
            .run_count = 1,
            .verdict = &verdict,
            .exit_code = verdict.exit_code,
        };
        rv = bench_tell(&page, &options->report);
    }
    if (sum != NULL) {
        bench_result_deinit(sum);
        free(sum);
    }
    return rv;
}

/* Figures that are not to be trusted prove nothing, on either side. */
static int check_valid(const char *path, const struct bench_result *result)
{
    const char *invalid = bench_invalid(result);
    if (invalid != NULL) {
        fprintf(stderr, "%s %s is not valid: %s\n", cli_mark(CLI_MARK_BAD), path, invalid);
    }
    return invalid != NULL;
}

/* Each with the first. */
static int show_comparison(const struct options *options, char **paths, struct bench_page *page)
{
    struct bench_comparison comparisons[BENCH_RUNS_MAX];
    int invalid = check_valid(paths[0], page->runs[0]);
    unsigned worse = 0;
    unsigned missing = 0;
    for (size_t i = 1; i < page->run_count; i++) {
        struct bench_comparison *comparison = &comparisons[i - 1];
        bench_compare_results(page->runs[0], page->runs[i], options->metrics,
                              (double)options->tolerance_percent / 100, comparison);
        worse += comparison->worse;
        missing += comparison->missing;
        invalid += check_valid(paths[i], page->runs[i]);
    }
    page->comparisons = comparisons;
    page->exit_code = worse > 0                    ? EXIT_CHECK_FAILED
                      : invalid > 0 || missing > 0 ? EXIT_NO_EVIDENCE
                                                   : EXIT_GOOD;
    return bench_tell(page, &options->report);
}

static int check_compare(const struct options *options, int argc, char **argv)
{
    char unknown[32];
    if (argc < 2 || argc > BENCH_RUNS_MAX) {
        cli_error("bench",
                  "compare: expected two to %d files of reports made with bench -o json: before "
                  "and now",
                  BENCH_RUNS_MAX);
        return EXIT_USAGE;
    }
    if (bench_compare_check_metrics(options->metrics, unknown) != 0) {
        cli_error("bench", "--metric: \"%s\" is no figure; expected some of " COMPARE_METRICS,
                  unknown);
        return EXIT_USAGE;
    }
    return check_files(argc, argv);
}

static int compare(const struct options *options, int argc, char **argv)
{
    if (check_compare(options, argc, argv) != 0) {
        return EXIT_USAGE;
    }
    struct bench_result *results[BENCH_RUNS_MAX] = {NULL};
    struct bench_page page = {.command = "bench compare", .run_count = (size_t)argc};
    int rv = EXIT_GOOD;
    for (int i = 0; i < argc && rv == EXIT_GOOD; i++) {
        rv = read_report(argv[i], &results[i]);
        page.runs[i] = results[i];
        page.names[i] = argv[i];
    }
    rv = rv == EXIT_GOOD ? show_comparison(options, argv, &page) : rv;
    for (int i = 0; i < argc; i++) {
        if (results[i] != NULL) {
            bench_result_deinit(results[i]);
            free(results[i]);
        }
    }
    return rv;
}

static int run(const void *parsed, int argc, char **argv)
{
    const struct options *options = parsed;
    struct bench_threshold thresholds[CLI_LIST_MAX];
    if (parse_thresholds(&options->thresholds, thresholds) != 0) {
        return EXIT_USAGE;
    }
    if (argc == 0) {
        return drive(options, thresholds);
    }
    if (strcmp(argv[0], "merge") == 0) {
        cli_result_begin_inner("bench merge");
        return merge(options, thresholds, argc - 1, argv + 1);
    }
    if (strcmp(argv[0], "compare") == 0) {
        cli_result_begin_inner("bench compare");
        return compare(options, argc - 1, argv + 1);
    }
    cli_error("bench",
              "\"%s\" is not valid, expected merge FILE..., compare BEFORE NOW..., or nothing",
              argv[0]);
    return EXIT_USAGE;
}

static const char *const inner_commands[] = {"merge", "compare", NULL};

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
    .options = options_table,
    .option_count = ARRAY_SIZE(options_table),
    .struct_bytes = sizeof(struct options),
    .gives_verdict = true,
    .outputs_offset = offsetof(struct options, report),
    .run = run,
};
