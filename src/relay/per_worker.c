#include "relay/per_worker.h"

#include "base/mem.h"

#include <stdlib.h>

#define CACHE_LINE_BYTES 64

void *per_worker_get(struct per_worker *all, unsigned worker, size_t bytes)
{
    void *block = atomic_load_explicit(&all->blocks[worker], memory_order_relaxed);
    if (block == NULL) {
        block = mem_calloc_aligned(CACHE_LINE_BYTES, bytes);
        atomic_store_explicit(&all->blocks[worker], block, memory_order_release);
    }
    return block;
}

const void *per_worker_look(const struct per_worker *all, unsigned worker)
{
    return atomic_load_explicit(&all->blocks[worker], memory_order_acquire);
}

uint64_t per_worker_sum(const struct per_worker *all, size_t offset)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < RELAY_WORKERS_MAX; i++) {
        const char *block = per_worker_look(all, i);
        if (block != NULL) {
            sum += atomic_load_explicit(
                (const atomic_uint_fast64_t *)(const void *)(block + offset), memory_order_relaxed);
        }
    }
    return sum;
}

void per_worker_deinit(struct per_worker *all)
{
    for (unsigned i = 0; i < RELAY_WORKERS_MAX; i++) {
        free(atomic_load(&all->blocks[i]));
    }
}
