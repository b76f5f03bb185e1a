#include "relay/tally.h"

#include "base/counter.h"

#define MINUTE_MS UINT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

const struct tally_scale tally_answers = {
    .bounds = {100, 250, 500, 1000, 2500, 5000, 10000, 25000, 100000, 250000, 1000000, 10000000},
    .per_second = 1e6,
};

const struct tally_scale tally_ages = {
    .bounds = {1000, 10000, 30000, MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS,
               DAY_MS, 3 * DAY_MS, 7 * DAY_MS, 30 * DAY_MS},
    .per_second = 1e3,
};

size_t tally_bucket(const struct tally_scale *scale, uint64_t value)
{
    size_t bucket = 0;
    while (bucket < TALLY_BOUNDS && value > scale->bounds[bucket]) {
        bucket++;
    }
    return bucket;
}

void tally_add(struct tally *tally, const struct tally_scale *scale, uint64_t value)
{
    counter_add(&tally->counts[tally_bucket(scale, value)], 1);
    counter_add(&tally->sum, value);
}

void tally_add_to(const struct tally *tally, struct tally_sum *sum)
{
    for (size_t i = 0; i <= TALLY_BOUNDS; i++) {
        sum->counts[i] += atomic_load_explicit(&tally->counts[i], memory_order_relaxed);
    }
    sum->sum += atomic_load_explicit(&tally->sum, memory_order_relaxed);
}
