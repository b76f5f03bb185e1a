/* A list of free blocks for each size that the allocator has, with its links in the blocks.
 *
 * malloc() keeps seven blocks of a size at hand, and joins and splits the others; the calls that
 * are read at a time are some hundred, each with two dozen blocks, which all go before the next
 * come. */
#include "base/pool.h"

#include "base/mem.h"
#include "base/sanitizer.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define KEEPS (!SANITIZER_ADDRESS)

/* Sizes are 8 bytes more than a multiple of 16, as those of glibc are; blocks of an allocator with
 * other sizes go with the next smaller one. */
#define LEAST_BYTES ((size_t)24)
#define STEP_BYTES  ((size_t)16)
#define SIZES       ((POOL_BLOCK_BYTES - LEAST_BYTES) / STEP_BYTES + 1)

struct free_block {
    struct free_block *next;
};

static _Thread_local struct {
    struct free_block *lists[SIZES];
    size_t kept_bytes;
    bool used; /* since pool_rest() looked */
} pool;

static size_t size_of_list(size_t list)
{
    return LEAST_BYTES + list * STEP_BYTES;
}

/* Whose blocks have room for that many bytes. */
static size_t list_for(size_t bytes)
{
    return bytes <= LEAST_BYTES ? 0 : (bytes - LEAST_BYTES + STEP_BYTES - 1) / STEP_BYTES;
}

void *pool_alloc(size_t bytes)
{
    if (!KEEPS || bytes > POOL_BLOCK_BYTES) {
        return malloc(bytes);
    }
    size_t list = list_for(bytes);
    struct free_block *block = pool.lists[list];
    pool.used = true;
    if (block == NULL) {
        return malloc(size_of_list(list)); /* all of it, with any allocator */
    }
    pool.lists[list] = block->next;
    pool.kept_bytes -= size_of_list(list);
    return block;
}

void *pool_calloc(size_t bytes)
{
    void *block = pool_alloc(bytes);
    return block != NULL ? memset(block, 0, bytes) : NULL;
}

void *pool_new(size_t bytes)
{
    void *block = pool_calloc(bytes);
    return block != NULL ? block : mem_calloc(1, bytes);
}

void pool_free(void *block)
{
    size_t bytes = malloc_usable_size(block); /* of NULL: 0 */
    if (!KEEPS || bytes < LEAST_BYTES || bytes >= size_of_list(SIZES)) {
        free(block);
        return;
    }
    size_t list = (bytes - LEAST_BYTES) / STEP_BYTES;
    if (pool.kept_bytes + size_of_list(list) > POOL_KEPT_BYTES) {
        free(block);
        return;
    }
    struct free_block *kept = block;
    kept->next = pool.lists[list];
    pool.lists[list] = kept;
    pool.kept_bytes += size_of_list(list);
}

void pool_drop(void)
{
    for (size_t i = 0; i < SIZES; i++) {
        while (pool.lists[i] != NULL) {
            struct free_block *block = pool.lists[i];
            pool.lists[i] = block->next;
            free(block);
        }
    }
    pool.kept_bytes = 0;
}

void pool_rest(void)
{
    if (!pool.used && pool.kept_bytes > 0) {
        pool_drop();
    }
    pool.used = false;
}
