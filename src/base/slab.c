/* Two stacks of free blocks: of each thread those with their pages, and of all those without, as
 * numbers, because a link in the block would be a page. */
#include "base/slab.h"

#include "base/sanitizer.h"

#include <pthread.h>
#include <sys/mman.h>

/* So many more may be touched at a time: what may be counts as promised to the process where the
 * system promises no more than it has (vm.overcommit_memory 2). */
#define OPENED_BLOCKS 64

uintptr_t slab_begin = SLAB_NOWHERE;

static _Thread_local struct {
    void *blocks[SLAB_KEPT_MAX];
    size_t count;
} kept;

static struct {
    pthread_mutex_t lock;
    uint16_t numbers[SLAB_BLOCKS_MAX]; /* of free blocks that have no pages */
    size_t count;
    size_t begun; /* blocks from here on were never used */
} bare = {.lock = PTHREAD_MUTEX_INITIALIZER};

void slab_reserve(void)
{
    if (SANITIZER_ADDRESS || slab_begin != SLAB_NOWHERE) {
        return;
    }
    void *mapped = mmap(NULL, SLAB_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) {
        return;
    }
    madvise(mapped, SLAB_BYTES, MADV_NOHUGEPAGE); /* else one block is 2 MiB */
    slab_begin = (uintptr_t)mapped;
}

static void *block_at(size_t number)
{
    return (void *)(slab_begin + number * SLAB_BLOCK_BYTES);
}

static uint16_t number_of(const void *block)
{
    return (uint16_t)(((uintptr_t)block - slab_begin) / SLAB_BLOCK_BYTES);
}

/* Whether there is a next one that was never used. */
static bool open_next(void)
{
    if (bare.begun == SLAB_BLOCKS_MAX) {
        return false;
    }
    return bare.begun % OPENED_BLOCKS != 0 ||
           mprotect(block_at(bare.begun), OPENED_BLOCKS * SLAB_BLOCK_BYTES,
                    PROT_READ | PROT_WRITE) == 0;
}

static void *take_bare(void)
{
    void *block = NULL;
    pthread_mutex_lock(&bare.lock);
    if (bare.count > 0) {
        block = block_at(bare.numbers[--bare.count]);
    } else if (open_next()) {
        block = block_at(bare.begun++);
    }
    pthread_mutex_unlock(&bare.lock);
    return block;
}

static void strip(void *block)
{
    madvise(block, SLAB_BLOCK_BYTES, MADV_DONTNEED);
    pthread_mutex_lock(&bare.lock);
    bare.numbers[bare.count++] = number_of(block);
    pthread_mutex_unlock(&bare.lock);
}

void *slab_alloc(void)
{
    if (slab_begin == SLAB_NOWHERE) {
        return NULL;
    }
    return kept.count > 0 ? kept.blocks[--kept.count] : take_bare();
}

void slab_free(void *block)
{
    if (kept.count < SLAB_KEPT_MAX) {
        kept.blocks[kept.count++] = block;
    } else {
        strip(block);
    }
}

void slab_drop_kept(void)
{
    while (kept.count > 0) {
        strip(kept.blocks[--kept.count]);
    }
}
