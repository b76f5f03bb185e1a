/* Counters of which each worker has a block of its own, so that none writes to a cache line of
 * another's: a block is written by its worker alone, and read by any thread. */
#ifndef GRPCROUTE_RELAY_PER_WORKER_H
#define GRPCROUTE_RELAY_PER_WORKER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define RELAY_WORKERS_MAX 64

/* The blocks of one thing that is counted. Zeroed: none yet. Embedded; they live as long as it. */
struct per_worker {
    _Atomic(void *) blocks[RELAY_WORKERS_MAX];
};

/* The worker's block, made of `bytes` zeroed ones where it has none yet; on its thread. */
void *per_worker_get(struct per_worker *all, unsigned worker, size_t bytes);

/* The block of any worker, or NULL where it has none. */
const void *per_worker_look(const struct per_worker *all, unsigned worker);

/* The sum over the workers of the atomic_uint_fast64_t at `offset` of the blocks. */
uint64_t per_worker_sum(const struct per_worker *all, size_t offset);

/* Frees the blocks. */
void per_worker_deinit(struct per_worker *all);

#endif
