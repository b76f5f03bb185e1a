/* Limits that a bench must keep, as people write them: "p99<5ms", "misrouted==0", "rate>=1000".
 * Pure. */
#ifndef GRPCROUTE_BENCH_THRESHOLD_H
#define GRPCROUTE_BENCH_THRESHOLD_H

#include "bench/result.h"

struct threshold {
    const char *text; /* borrowed, as given */
    unsigned metric;
    unsigned comparison;
    double limit; /* ns, messages per second, or a count */
};

#define THRESHOLD_SHOWN_BYTES 32

/* What may be written, for error messages. */
#define THRESHOLD_EXPECTED                                                                         \
    "METRIC<VALUE with p50, p90, p95, p99, p99.9, p99.99, max or mean and a duration, rate and "   \
    "messages per "                                                                                \
    "second, or errors, lost, unanswered, misrouted, moved, reopened and a count; or <=, >, >=, "  \
    "=="

/* Returns 0, or 1 when `text` is not a threshold. */
int threshold_parse(const char *text, struct threshold *ret);

/* Whether the result keeps it; `shown` gets the value as people read it. */
bool threshold_holds(const struct threshold *threshold, const struct bench_result *result,
                     char shown[static THRESHOLD_SHOWN_BYTES]);

#endif
