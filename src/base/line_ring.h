/* Lines that wait to be written, in a ring of a fixed size. Pure; the lock is its owner's. */
#ifndef GRPCROUTE_BASE_LINE_RING_H
#define GRPCROUTE_BASE_LINE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct line_ring {
    uint8_t *bytes; /* owned; touched only as far as it is used */
    size_t size;
    size_t start;
    size_t len;
    size_t torn;          /* bytes of the first line that are out already; 0: none */
    uint64_t taken_bytes; /* in all; positions count from there */
};

/* What one of many writers has waiting in a ring: of `bytes` between two positions it is assumed
 * that they lie evenly. Zeroed: nothing. */
struct line_share {
    uint64_t from;
    uint64_t to;
    size_t bytes;
};

void line_ring_init(struct line_ring *ring, size_t size);
void line_ring_deinit(struct line_ring *ring);

/* Returns false, and takes nothing, where there is no room. */
bool line_ring_put(struct line_ring *ring, const char *line, size_t len);

/* The last `len` bytes that were put are of this share. */
void line_ring_note(const struct line_ring *ring, struct line_share *share, size_t len);

/* How many of its bytes still wait; what is out is forgotten. */
size_t line_ring_waiting(const struct line_ring *ring, struct line_share *share);

/* How many bytes to write next: whole lines, up to `max`; or the part of a longer one. */
size_t line_ring_next(const struct line_ring *ring, size_t max);

/* Where the first `len` bytes lie; they stay there until they are dropped. Returns how many parts
 * that are. */
int line_ring_parts(const struct line_ring *ring, size_t len, struct iovec parts[static 2]);

/* How many lines end in the first `len` bytes. Needs no lock where only who asks drops bytes. */
size_t line_ring_lines(const struct line_ring *ring, size_t len);

/* The first `len` bytes are out. */
void line_ring_drop(struct line_ring *ring, size_t len);

/* Drops the rest of a line whose begin is out; returns whether there was one. */
bool line_ring_drop_torn(struct line_ring *ring);
#endif
