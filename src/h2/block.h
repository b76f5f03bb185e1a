/* Collects one received header block, counting before copying. Inside h2/ only. */
#ifndef GRPCROUTE_H2_BLOCK_H
#define GRPCROUTE_H2_BLOCK_H

#include "h2/limits.h"
#include "h2/session.h"

/* Room for the fields of a usual block, in a piece small enough that the allocator keeps it at
 * hand. */
#define H2_BLOCK_FIRST_FIELDS 16

struct h2_block_reader {
    char *text; /* owned; names and values, each with its NUL */
    size_t text_len;
    size_t text_capacity;
    size_t counted_bytes; /* as RFC 9113 section 6.5.2 counts; of all fields */
    size_t counted_fields;
    size_t count; /* of those that were kept */
    size_t limit_bytes;
    size_t limit_fields;
    const struct h2_limits *wider; /* that hold once the path has come; borrowed; NULL: none */
    /* Name and value are offsets until h2_block_reader_finish(). */
    struct h2_header *fields; /* `first`, or owned once these do not suffice */
    size_t field_capacity;
    struct h2_header first[H2_BLOCK_FIRST_FIELDS];
};

/* The most that the limits allow a block in bytes, or limits.h where they say nothing. */
size_t h2_block_limit_bytes(const struct h2_limits *limits);

/* Returns an empty reader, which borrows the limits, or NULL when there is no memory. */
struct h2_block_reader *h2_block_reader_new(const struct h2_limits *limits);
/* Accepts NULL. */
void h2_block_reader_free(struct h2_block_reader *reader);

/* Adds a field. One that passes a limit is counted and not kept, and so are all after
 * it. Returns 0 or -ENOMEM. */
int h2_block_reader_add(struct h2_block_reader *reader, const struct h2_header *field);

/* Whether a field was not kept. */
bool h2_block_reader_oversized(const struct h2_block_reader *reader);

/* What was kept; borrowed until the reader is freed. Call once. */
struct h2_block h2_block_reader_finish(struct h2_block_reader *reader);

/* The size of a block as RFC 9113 section 6.5.2 counts it. */
size_t h2_block_bytes(const struct h2_header *fields, size_t count);

/* A request of the only method gRPC has. */
bool h2_block_is_post(const struct h2_block *block);

#endif
