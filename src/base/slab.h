/* Blocks of some pages that are used for a moment, in a stretch of addresses of their own.
 *
 * Among other memory each would leave a hole when it goes, of which the system gets back what is
 * whole pages: where thousands of connections shake hands at once, a page of each is lost for as
 * long as the connection lives.
 *
 *   slab_reserve() once, before there are threads -> slab_alloc() <-> slab_free() by any of them */
#ifndef GRPCROUTE_BASE_SLAB_H
#define GRPCROUTE_BASE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of every block. */
#define SLAB_BLOCK_BYTES ((size_t)24 * 1024)
/* So many there are; who comes later is told that there is none. */
#define SLAB_BLOCKS_MAX 8192
/* So many free ones a thread keeps with their pages, for who is next. */
#define SLAB_KEPT_MAX 64

#define SLAB_BYTES (SLAB_BLOCKS_MAX * SLAB_BLOCK_BYTES)
/* Where nothing is: behind it are no SLAB_BYTES that anybody may have. */
#define SLAB_NOWHERE (UINTPTR_MAX - SLAB_BYTES)

/* Where the addresses begin; SLAB_NOWHERE: there are none. */
extern uintptr_t slab_begin;

/* Reserves the addresses, 192 MiB, of which pages are used as blocks are. Where it cannot, and with
 * the address sanitizer, there are no blocks. Never given back. */
void slab_reserve(void);

/* Whether it is a block. Of any pointer. */
static inline bool slab_has(const void *memory)
{
    return (uintptr_t)memory - slab_begin < SLAB_BYTES;
}

/* SLAB_BLOCK_BYTES that begin a page and may hold anything; NULL: there is none. */
void *slab_alloc(void);
void slab_free(void *block);

/* Gives the pages of free blocks that this thread keeps back to the system. */
void slab_drop_kept(void);

#endif
