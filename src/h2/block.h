/* Collects one received header block, counting before copying. Inside h2/ only. */
#ifndef GRPCROUTE_H2_BLOCK_H
#define GRPCROUTE_H2_BLOCK_H

#include "h2/limits.h"
#include "h2/session.h"

struct h2_block_reader {
    char *text;    /* owned; names and values, each with its NUL */
    size_t text_len;
    size_t text_capacity;
    size_t counted_bytes; /* as RFC 9113 section 6.5.2 counts */
    size_t count;
    struct h2_header fields[H2_HEADER_FIELDS]; /* name and value are offsets until h2_block_finish() */
};

/* Returns an empty reader, or NULL when there is no memory. */
struct h2_block_reader *h2_block_reader_new(void);
/* Accepts NULL. */
void h2_block_reader_free(struct h2_block_reader *reader);

/* Adds a field. Returns 0, H2_E_HEADERS when the block passes a limit (nothing was copied), or -ENOMEM. */
int h2_block_reader_add(struct h2_block_reader *reader, const void *name, size_t name_len,
                        const void *value, size_t value_len);

/* The complete block; borrowed until the reader is freed. Call once. */
struct h2_block h2_block_reader_finish(struct h2_block_reader *reader);

/* A request of the only method gRPC has. */
bool h2_block_is_post(const struct h2_block *block);

#endif
