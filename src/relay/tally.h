/* A small histogram with the bounds that Prometheus is told: one thread fills it while others
 * read. */
#ifndef GRPCROUTE_RELAY_TALLY_H
#define GRPCROUTE_RELAY_TALLY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define TALLY_BOUNDS 12

/* What is counted: `bounds` ascend, in a unit of which `per_second` are a second. */
struct tally_scale {
    uint64_t bounds[TALLY_BOUNDS];
    double per_second;
};

/* Answers, in microseconds: 100 us to 10 s. */
extern const struct tally_scale tally_answers;
/* Ages of streams, in milliseconds: 1 s to 30 days. */
extern const struct tally_scale tally_ages;

struct tally {
    atomic_uint_fast64_t counts[TALLY_BOUNDS + 1]; /* up to each bound, and above all of them */
    atomic_uint_fast64_t sum;
};

/* One or more of them as they were. A zeroed one is empty. */
struct tally_sum {
    uint64_t counts[TALLY_BOUNDS + 1];
    uint64_t sum;
};

/* Where `value` is counted: 0 to TALLY_BOUNDS. */
size_t tally_bucket(const struct tally_scale *scale, uint64_t value);

/* One sample, in the scale's unit; by the one writing thread. */
void tally_add(struct tally *tally, const struct tally_scale *scale, uint64_t value);

/* Adds what was counted; from any thread. */
void tally_add_to(const struct tally *tally, struct tally_sum *sum);

#endif
