#include "relay/answer_time.h"

#include "base/counter.h"

#include <stddef.h>

#define LINEAR 32 /* microseconds with a bucket each */

static size_t bucket_of(uint64_t us)
{
    if (us < LINEAR) {
        return (size_t)us;
    }
    unsigned shift = 59 - (unsigned)__builtin_clzll(us); /* five bits remain */
    size_t bucket = ((size_t)shift << 4) + (size_t)(us >> shift);
    return bucket < ANSWER_TIME_BUCKETS ? bucket : ANSWER_TIME_BUCKETS - 1;
}

/* The middle of a bucket in microseconds. */
static double middle(size_t bucket)
{
    if (bucket < LINEAR) {
        return (double)bucket + 0.5;
    }
    unsigned shift = (unsigned)(bucket >> 4) - 1;
    return ((double)((bucket & 15) + 16) + 0.5) * (double)(UINT64_C(1) << shift);
}

void answer_time_add(struct answer_time *times, uint64_t ns)
{
    counter_add(&times->buckets[bucket_of(ns / 1000)], 1);
}

void answer_time_sum(const struct answer_time *times, uint64_t sums[static ANSWER_TIME_BUCKETS])
{
    for (size_t i = 0; i < ANSWER_TIME_BUCKETS; i++) {
        sums[i] += atomic_load_explicit(&times->buckets[i], memory_order_relaxed);
    }
}

double answer_time_quantile(const uint64_t *before, const uint64_t *after, double fraction)
{
    uint64_t total = 0;
    for (size_t i = 0; i < ANSWER_TIME_BUCKETS; i++) {
        total += after[i] - before[i];
    }
    double wanted = fraction * (double)total;
    uint64_t passed = 0;
    for (size_t i = 0; i < ANSWER_TIME_BUCKETS && total > 0; i++) {
        passed += after[i] - before[i];
        if (passed > 0 && (double)passed >= wanted) {
            return middle(i);
        }
    }
    return -1;
}
