/* The parts of `grpcroute bench`: command.c over command_load.c and command_reports.c. */
#ifndef GRPCROUTE_BENCH_COMMAND_IMPL_H
#define GRPCROUTE_BENCH_COMMAND_IMPL_H

#include "bench/threshold.h"
#include "cli/common.h"
#include "role/connect.h"
#include "role/expect.h"

#include <stdint.h>

#define BENCH_STREAMS_MAX 100000

struct bench_options {
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

/* --versions where it is not given: fewer streams take the first of them. */
extern const char bench_default_versions[];

/* Each prints its result or one line of what is wrong, and returns an exit code. `thresholds` are
 * those of the options. */

/* `bench`: a load on the target. */
int bench_load(const struct bench_options *options, const struct bench_threshold *thresholds);
/* `bench merge`, `bench compare`: of these files. */
int bench_merge_files(const struct bench_options *options, const struct bench_threshold *thresholds,
                      int argc, char **argv);
int bench_compare_files(const struct bench_options *options, int argc, char **argv);

#endif
