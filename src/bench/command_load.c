/* `grpcroute bench`: its options become a load, and what came of it is told. */
#include "bench/command_impl.h"

#include "base/mem.h"
#include "bench/cost.h"
#include "bench/driver.h"
#include "bench/judge.h"
#include "bench/page.h"
#include "bench/tell.h"
#include "cli/exit.h"
#include "rpc/ping.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char bench_default_versions[] = "v1.1,v1.2,v2.1,v2.2";

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

static int take_setup(const struct bench_options *options, struct bench_setup *setup)
{
    setup->tls = !options->connect.plaintext;
    setup->connections = options->connections;
    setup->streams = options->streams;
    setup->rate = options->rate;
    setup->duration_ns = options->duration_ns;
    setup->warmup_ns = options->warmup_ns;
    setup->ramp_ns = options->ramp_ns;
    setup->size_bytes = options->size_bytes;
    if (options->connections * options->streams > BENCH_STREAMS_MAX) {
        cli_error("bench", "--connections times --streams is more than %d", BENCH_STREAMS_MAX);
        return 1;
    }
    setup->version_count =
        cli_take_versions("bench", options->versions, BENCH_VERSIONS_MAX, setup->versions);
    uint64_t streams = options->connections * options->streams;
    if (options->versions == bench_default_versions && setup->version_count > streams) {
        setup->version_count = (size_t)streams;
    }
    return setup->version_count == 0 || take_pids(&options->pids, setup) != 0;
}

static int drive_at(const struct role_target *target, const struct bench_options *options,
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
        } else if (i >= result->setup.connections * result->setup.streams) {
            bench_add_unchecked(result, result->setup.versions[i],
                                "no stream was left for it (more: --connections, --streams)");
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

int bench_load(const struct bench_options *options, const struct bench_threshold *thresholds)
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
