/* `verify --every`: one run after the other, each with an order and connections of its own, told
 * where the verdict or its cause changes, and as metrics.
 *
 * Happy path: a run at each interval -> its verdict is counted -> a line where it, or its cause, is
 * another than before -> SIGINT or SIGTERM: a summary, exit code 130 or 143. Failure modes: a run
 * that cannot connect is a failed run; options that cannot work are exit code 2 before the first
 * one; a run that takes longer than the interval is followed at once. */
#ifndef GRPCROUTE_CHECK_EVERY_H
#define GRPCROUTE_CHECK_EVERY_H

#include "check/session.h"

struct every_options {
    uint64_t interval_ns; /* 0: one run */
    struct text_address metrics_listen;
};

/* clang-format off */
#define EVERY_OPTIONS(type, field)                                                                 \
    {.name = "every", .kind = CLI_DURATION, .offset = offsetof(type, field.interval_ns),           \
     .argument = "DURATION", .fallback = "0", .max = UINT64_C(86400000000000),                     \
     .help = "Verify again each DURATION until SIGINT or SIGTERM, and tell when the verdict or "   \
             "its cause changes; 0 for one run"},                                                            \
    {.name = "metrics-listen", .kind = CLI_LISTEN, .offset = offsetof(type, field.metrics_listen), \
     .argument = "[HOST]:PORT",                                                                    \
     .help = "With --every: serve Prometheus metrics at /metrics, e.g. :9102"}
/* clang-format on */

struct every_config {
    const struct every_options *options;
    const struct check_session_options *session;
    /* Fills a zeroed plan for the next run, number `run` from 0 on. Returns 0, or 1 after a line
     * on standard error. */
    int (*make_plan)(void *user, uint64_t run, struct check_plan *plan);
    void *user;
};

/* Returns the exit code. */
int every_run(const struct every_config *config);

#endif
