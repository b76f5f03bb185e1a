#include "rpc/arena.h"

#include "rpc/frame.h"

#include <stdint.h>
#include <stdlib.h>

/* The texts of any message of our services, and what holds them. */
#define FIRST_BLOCK_BYTES (RPC_MESSAGE_LIMIT_BYTES + 4096)
#define ALIGNMENT         16

/* Ordinary messages fit the first block, of which no more is ever touched than the largest needed;
 * one of many fields takes the rest from malloc until the next reset. */
struct overflow {
    struct overflow *next;
};

static _Thread_local struct {
    _Alignas(ALIGNMENT) uint8_t block[FIRST_BLOCK_BYTES];
    size_t used;
    size_t overflow_bytes;
    struct overflow *overflow;
} arena;

static void *alloc_overflow(size_t size)
{
    if (size > RPC_ARENA_BYTES - arena.overflow_bytes) {
        return NULL;
    }
    struct overflow *block = malloc(ALIGNMENT + size);
    if (block == NULL) {
        return NULL;
    }
    arena.overflow_bytes += size;
    block->next = arena.overflow;
    arena.overflow = block;
    return (uint8_t *)block + ALIGNMENT;
}

static void *arena_alloc(void *data, size_t size)
{
    (void)data;
    if (size > RPC_ARENA_BYTES) {
        return NULL;
    }
    size_t rounded = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (rounded > sizeof(arena.block) - arena.used) {
        return alloc_overflow(rounded);
    }
    void *bytes = arena.block + arena.used;
    arena.used += rounded;
    return bytes;
}

static void arena_free(void *data, void *pointer)
{
    (void)data;
    (void)pointer; /* goes with the next reset */
}

ProtobufCAllocator *rpc_arena_reset(void)
{
    static ProtobufCAllocator allocator = {.alloc = arena_alloc, .free = arena_free};
    while (arena.overflow != NULL) {
        struct overflow *next = arena.overflow->next;
        free(arena.overflow);
        arena.overflow = next;
    }
    arena.used = 0;
    arena.overflow_bytes = 0;
    return &allocator;
}
