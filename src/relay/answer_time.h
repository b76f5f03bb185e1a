/* A small histogram of answer times that one thread fills and another reads while it does: every
 * bucket is an atomic number, which base/histogram.h cannot offer. Relative error at most 1/16. */
#ifndef GRPCROUTE_RELAY_ANSWER_TIME_H
#define GRPCROUTE_RELAY_ANSWER_TIME_H

#include <stdatomic.h>
#include <stdint.h>

#define ANSWER_TIME_BUCKETS 384 /* 16 per power of two of microseconds, up to 67 s */

struct answer_time {
    atomic_uint_fast64_t buckets[ANSWER_TIME_BUCKETS];
};

/* One sample; by the one writing thread. Longer than 67 s counts as that. */
void answer_time_add(struct answer_time *times, uint64_t ns);

/* Adds the counts to `sums`; from any thread. */
void answer_time_sum(const struct answer_time *times, uint64_t sums[static ANSWER_TIME_BUCKETS]);

/* The time in microseconds up to which `fraction` (0 to 1) of the samples lie that came between two
 * sums; -1 without samples. */
double answer_time_quantile(const uint64_t *before, const uint64_t *after, double fraction);

#endif
