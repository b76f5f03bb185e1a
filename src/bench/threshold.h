/* The figures of a bench, and limits that it must keep, as people write them: "p99<5ms",
 * "misrouted==0", "rate>=1000". Pure. */
#ifndef GRPCROUTE_BENCH_THRESHOLD_H
#define GRPCROUTE_BENCH_THRESHOLD_H

#include "bench/result.h"

enum bench_unit { BENCH_NANOSECONDS, BENCH_PER_SECOND, BENCH_COUNT };

struct bench_metric {
    const char *name;
    enum bench_unit unit;
    double quantile;      /* of the latency; 0: none */
    size_t count_offset;  /* BENCH_COUNT: a uint64_t of struct bench_result; 0: bench_errors() */
    const char *must_not; /* what it counts, where none may be unless a threshold allows it */
};

/* The metrics in order; NULL behind the last. */
const struct bench_metric *bench_metric(size_t index);
/* NULL: there is none of that name. */
const struct bench_metric *bench_metric_find(const char *name, size_t name_len);
/* In ns, messages per second, or a count. */
double bench_metric_value(const struct bench_metric *metric, const struct bench_result *result);

/* Whether it is a count of nothing, and not all of it could be seen. */
bool bench_metric_is_blind(const struct bench_metric *metric, const struct bench_result *result);

#define THRESHOLD_SHOWN_BYTES 32

/* The value as people read it; "not checked" where it is blind. Returns `out`. */
char *bench_metric_text(const struct bench_metric *metric, const struct bench_result *result,
                        char out[static THRESHOLD_SHOWN_BYTES]);

struct bench_threshold {
    const char *text; /* borrowed, as given */
    const struct bench_metric *metric;
    unsigned comparison;
    double limit; /* ns, messages per second, or a count */
};

/* What may be written, for error messages. */
#define THRESHOLD_EXPECTED                                                                         \
    "METRIC<VALUE with p50, p90, p95, p99, p99.9, p99.99, max or mean and a duration, rate and "   \
    "messages per "                                                                                \
    "second, or errors, unopened, lost, unanswered, misrouted, moved, disordered, reopened and a " \
    "count; or <=, >, >=, =="

/* Blanks may stand around the comparison. Returns 0, or 1 when `text` is not a threshold. */
int bench_threshold_parse(const char *text, struct bench_threshold *ret);

/* Whether the result keeps it; `shown` gets the value as people read it. */
bool bench_threshold_holds(const struct bench_threshold *threshold,
                           const struct bench_result *result,
                           char shown[static THRESHOLD_SHOWN_BYTES]);

/* Whether no value keeps both: "p99<5ms" and "p99>1s". */
bool bench_threshold_excludes(const struct bench_threshold *a, const struct bench_threshold *b);

/* Whether it is about what some answers did not let see: their order, or who gave them. */
bool bench_threshold_is_blind(const struct bench_threshold *threshold,
                              const struct bench_result *result);

/* Whether `metric` counts what must not be and is there, and none of `thresholds` names it. What
 * was not answered to a driver that could not keep up is not held against the target. */
bool bench_threshold_is_missed(const struct bench_metric *metric,
                               const struct bench_threshold *thresholds, size_t count,
                               const struct bench_result *result);

#endif
