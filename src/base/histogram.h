/* A log-linear histogram of durations: fixed memory, mergeable, relative error at most 1/256. */
#ifndef GRPCROUTE_BASE_HISTOGRAM_H
#define GRPCROUTE_BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 7 /* 128 linear buckets per power of two: error <= 1/256 */
#define HISTOGRAM_MAX_NS   (UINT64_C(1) << 42) /* 73 minutes; larger values count as this */
#define HISTOGRAM_BUCKETS  ((42 - HISTOGRAM_SUB_BITS + 2) << HISTOGRAM_SUB_BITS)

struct histogram {
    uint64_t count;
    uint64_t sum_ns;
    uint64_t min_ns; /* meaningless while count is 0 */
    uint64_t max_ns;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* A zeroed struct is an empty histogram. */
void histogram_add(struct histogram *histogram, uint64_t value_ns);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The value up to which `fraction` (0 to 1) of the samples lie, by nearest rank, in ns; 1 gives the
 * exact maximum; 0 when empty. */
uint64_t histogram_quantile(const struct histogram *histogram, double fraction);

/* How many samples are not above `value_ns`, whose own bucket counts as a whole. */
uint64_t histogram_count_up_to(const struct histogram *histogram, uint64_t value_ns);

#endif
