/* A writer of what Prometheus reads: its text exposition format 0.0.4, or OpenMetrics 1.0. */
#ifndef GRPCROUTE_BASE_METRICS_H
#define GRPCROUTE_BASE_METRICS_H

#include "base/buf.h"
#include "base/histogram.h"

#include <stdbool.h>
#include <stddef.h>

/* A zeroed struct is an empty exposition; buf_deinit(&metrics.text) frees it. */
struct metrics {
    struct buf text;
    bool open;       /* OpenMetrics; set before the first metric */
    bool incomplete; /* there was no memory, or 16 MiB were reached: answer with an error instead */
};

enum metrics_type { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

struct metrics_label {
    const char *name;
    const char *value; /* borrowed for the call; escaped here, whatever it holds */
};

/* clang-format off */
#define METRICS_LABELS(...) (const struct metrics_label[]){__VA_ARGS__, {NULL, NULL}}
/* clang-format on */

/* True when who sent this Accept header (NULL: none) prefers OpenMetrics to text. */
bool metrics_wants_open(const char *accept);
/* The media type of what is being written; static. */
const char *metrics_content_type(const struct metrics *metrics);

/* Begins the metric `name`, whose samples must follow before the next one begins. Counters end in
 * "_total", and units are part of the name ("_seconds", "_bytes"). `help` is one line. */
void metrics_begin(struct metrics *metrics, const char *name, enum metrics_type type,
                   const char *help);

/* One sample. `labels` ends with a NULL name and may be NULL. */
void metrics_sample(struct metrics *metrics, const char *name, const struct metrics_label *labels,
                    double value);

/* All samples of a histogram of nanoseconds, shown in seconds: a bucket per bound, the sum, the
 * count. `bounds_ns` ascends; NULL takes twelve bounds from 100 us to 10 s. */
void metrics_histogram(struct metrics *metrics, const char *name,
                       const struct metrics_label *labels, const struct histogram *histogram,
                       const uint64_t *bounds_ns, size_t bound_count);

/* A histogram that was counted elsewhere. */
struct metrics_counts {
    const double *bounds_s; /* ascend */
    size_t bound_count;
    const uint64_t *counts; /* up to each bound, and above all of them: one more than bounds */
    double sum_s;
};

/* All samples of it. */
void metrics_counted(struct metrics *metrics, const char *name, const struct metrics_label *labels,
                     const struct metrics_counts *counts);

/* After the last metric. */
void metrics_end(struct metrics *metrics);

#endif
