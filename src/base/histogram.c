/* Log-linear buckets: values below 128 exactly, then 128 buckets for each power of two.
 *
 *   group 0        group 1           group 2           ...  group g
 *   0..127 by 1    128..255 by 1     256..511 by 2          2^(g+6)..2^(g+7)-1 by 2^(g-1)
 */
#include "base/histogram.h"

#include <float.h>
#include <stddef.h>

#define SUB_BUCKETS (UINT64_C(1) << HISTOGRAM_SUB_BITS)

static size_t bucket_of(uint64_t value)
{
    if (value < SUB_BUCKETS) {
        return value;
    }
    unsigned exponent = 63 - (unsigned)__builtin_clzll(value);
    unsigned shift = exponent - HISTOGRAM_SUB_BITS;
    return ((size_t)(shift + 1) << HISTOGRAM_SUB_BITS) + ((value >> shift) - SUB_BUCKETS);
}

/* The middle of a bucket, so that the error is half its width at most. */
static uint64_t middle_of(size_t bucket)
{
    if (bucket < SUB_BUCKETS) {
        return bucket;
    }
    unsigned shift = (unsigned)(bucket >> HISTOGRAM_SUB_BITS) - 1;
    uint64_t low = (SUB_BUCKETS + (bucket & (SUB_BUCKETS - 1))) << shift;
    return low + (UINT64_C(1) << shift) / 2;
}

static uint64_t at_most(uint64_t value, uint64_t limit)
{
    return value < limit ? value : limit;
}

void histogram_add(struct histogram *histogram, uint64_t value_ns)
{
    value_ns = at_most(value_ns, HISTOGRAM_MAX_NS);
    if (histogram->count == 0 || value_ns < histogram->min_ns) {
        histogram->min_ns = value_ns;
    }
    if (value_ns > histogram->max_ns) {
        histogram->max_ns = value_ns;
    }
    histogram->count++;
    histogram->sum_ns += value_ns;
    histogram->buckets[bucket_of(value_ns)]++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    if (from->count == 0) {
        return;
    }
    if (into->count == 0 || from->min_ns < into->min_ns) {
        into->min_ns = from->min_ns;
    }
    if (from->max_ns > into->max_ns) {
        into->max_ns = from->max_ns;
    }
    into->count += from->count;
    into->sum_ns += from->sum_ns;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        into->buckets[i] += from->buckets[i];
    }
}

/* Nearest rank, from 1. */
static uint64_t rank_of(uint64_t count, double fraction)
{
    /* 0.07 * 100 is 7.000000000000001: without the correction that would be rank 8. */
    double exact = fraction * (double)count * (1 - 4 * DBL_EPSILON);
    uint64_t rank = exact > 0 ? (uint64_t)exact : 0;
    if ((double)rank < exact) {
        rank++;
    }
    return rank > 0 ? rank : 1;
}

uint64_t histogram_quantile(const struct histogram *histogram, double fraction)
{
    if (histogram->count == 0) {
        return 0;
    }
    uint64_t rank = fraction < 1 ? rank_of(histogram->count, fraction) : histogram->count;
    if (rank >= histogram->count) {
        return histogram->max_ns;
    }
    uint64_t seen = 0;
    size_t bucket = 0;
    for (; bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->buckets[bucket];
        if (seen >= rank) {
            break;
        }
    }
    uint64_t value = at_most(middle_of(bucket), histogram->max_ns);
    return value > histogram->min_ns ? value : histogram->min_ns;
}

uint64_t histogram_count_up_to(const struct histogram *histogram, uint64_t value_ns)
{
    size_t last = bucket_of(at_most(value_ns, HISTOGRAM_MAX_NS));
    uint64_t count = 0;
    for (size_t i = 0; i <= last; i++) {
        count += histogram->buckets[i];
    }
    return count;
}
