/* Latencies in buckets that are 1.6 % wide. */
#ifndef NGHTTP2_PAIR_HISTOGRAM_H
#define NGHTTP2_PAIR_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS 64U /* between two powers of two */

struct histogram {
    uint64_t counts[64 * HISTOGRAM_STEPS];
    uint64_t total;
};

void histogram_add(struct histogram *histogram, uint64_t value);

/* The upper edge of the bucket that holds the share (0 to 1) of all; 0 where there is none. */
uint64_t histogram_at(const struct histogram *histogram, double share);

#endif
