/* Counters with one writer, read by other threads. */
#ifndef GRPCROUTE_BASE_COUNTER_H
#define GRPCROUTE_BASE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

/* One writer: a plain load and store is enough, and cheaper than an atomic addition. */
static inline void counter_add(atomic_uint_fast64_t *counter, uint64_t value)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + value,
                          memory_order_relaxed);
}

static inline void counter_sub(atomic_uint_fast64_t *counter, uint64_t value)
{
    counter_add(counter, -value);
}

#endif
