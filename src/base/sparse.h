/* Memory of mostly zeros that can be put away: what is not zero goes into a compact copy on the
 * heap and the pages back to the system, until somebody needs them again, at the same address.
 *
 *   here --sparse_put_away()--> away --sparse_bring_back()--> here
 *
 * For what a library holds of a connection that may be quiet for hours. Nobody may touch the pieces
 * while they are away, which no one but the owner can see to. */
#ifndef GRPCROUTE_BASE_SPARSE_H
#define GRPCROUTE_BASE_SPARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed: there is no memory in it. */
struct sparse {
    uint8_t *pages; /* owned mapping; NULL: none */
    size_t bytes;   /* of the pages */
    size_t used;    /* of them, in pieces */
    size_t kept_bytes;
    uint8_t *kept; /* owned; the compact copy while the pieces are away; NULL: they are here */
};

/* Makes room for pieces of `bytes` in sum, rounded up to pages. Returns 0 or a negative errno. */
int sparse_init(struct sparse *sparse, size_t bytes);
/* With all pieces, here or away. The thread may keep the pages for its next sparse_init(). */
void sparse_deinit(struct sparse *sparse);
/* Gives the pages that this thread keeps back to the system. */
void sparse_drop_spare(void);

/* A zeroed piece, aligned as malloc() would; NULL: there is no room. It stays taken until
 * sparse_deinit(). Only while they are here. */
void *sparse_take(struct sparse *sparse, size_t bytes);

static inline bool sparse_has(const struct sparse *sparse, const void *memory)
{
    uintptr_t at = (uintptr_t)memory;
    uintptr_t from = (uintptr_t)sparse->pages;
    return at >= from && at < from + sparse->used;
}

static inline bool sparse_is_away(const struct sparse *sparse)
{
    return sparse->kept != NULL;
}

/* Puts all pieces away. Without memory for the copy, or anything in it, they stay here. */
void sparse_put_away(struct sparse *sparse);
/* They are here again, as they were. Needs no memory but the pages; harmless when they are here. */
void sparse_bring_back(struct sparse *sparse);

#endif
