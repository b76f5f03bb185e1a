/* Small blocks that come and go by the thousand, as calls do: what a thread frees, it soon gives
 * out again, without asking the allocator.
 *
 * A block is one of malloc(): free() may free it, and pool_free() takes what malloc() gave. */
#ifndef GRPCROUTE_BASE_POOL_H
#define GRPCROUTE_BASE_POOL_H

#include <stddef.h>

/* Larger blocks are not kept. */
#define POOL_BLOCK_BYTES ((size_t)1032)
/* What a thread keeps at most, in all. */
#define POOL_KEPT_BYTES ((size_t)2 * 1024 * 1024)

/* Returns `bytes` bytes, owned by the caller, or NULL when there is no memory. */
void *pool_alloc(size_t bytes);
/* ... of zeros. */
void *pool_calloc(size_t bytes);
/* ... or ends the program with a message when there is no memory, as mem_calloc() does. */
void *pool_new(size_t bytes);
/* Accepts NULL. Any thread may free what another has allocated. */
void pool_free(void *block);

/* Frees what this thread keeps if it allocated nothing since the last call. */
void pool_rest(void);
/* Frees what this thread keeps: before it ends. */
void pool_drop(void);

#endif
