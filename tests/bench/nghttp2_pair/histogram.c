/* Latencies in buckets, see histogram.h. */
#include "histogram.h"

#include <stddef.h>

#define STEP_BITS 6U /* of HISTOGRAM_STEPS */

static size_t bucket_of(uint64_t value)
{
    if (value < HISTOGRAM_STEPS) {
        return (size_t)value;
    }
    unsigned shift = 63U - (unsigned)__builtin_clzll(value) - STEP_BITS;
    return ((size_t)(shift + 1) << STEP_BITS) + (size_t)((value >> shift) - HISTOGRAM_STEPS);
}

static uint64_t upper_edge(size_t bucket)
{
    uint64_t step = bucket % HISTOGRAM_STEPS;

    if (bucket < HISTOGRAM_STEPS) {
        return step;
    }
    return ((HISTOGRAM_STEPS + step + 1) << (bucket / HISTOGRAM_STEPS - 1)) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->counts[bucket_of(value)]++;
    histogram->total++;
}

uint64_t histogram_at(const struct histogram *histogram, double share)
{
    uint64_t due = (uint64_t)(share * (double)histogram->total), seen = 0;
    size_t buckets = sizeof(histogram->counts) / sizeof(*histogram->counts);

    for (size_t i = 0; i < buckets; i++) {
        seen += histogram->counts[i];
        if (seen > due || (seen == histogram->total && seen > 0)) {
            return upper_edge(i);
        }
    }
    return 0;
}
