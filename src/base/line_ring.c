#include "base/line_ring.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void line_ring_init(struct line_ring *ring, size_t size)
{
    *ring = (struct line_ring){.bytes = mem_calloc(1, size), .size = size};
}

void line_ring_deinit(struct line_ring *ring)
{
    free(ring->bytes);
    ring->bytes = NULL;
}

bool line_ring_put(struct line_ring *ring, const char *line, size_t len)
{
    assert(len > 0 && line[len - 1] == '\n');
    if (len > ring->size - ring->len) {
        return false;
    }
    size_t at = (ring->start + ring->len) % ring->size;
    size_t first = ring->size - at < len ? ring->size - at : len;
    memcpy(ring->bytes + at, line, first);
    memcpy(ring->bytes, line + first, len - first);
    ring->len += len;
    ring->taken_bytes += len;
    return true;
}

size_t line_ring_waiting(const struct line_ring *ring, struct line_share *share)
{
    uint64_t out = ring->taken_bytes - ring->len;
    if (share->to <= out) {
        share->bytes = 0;
    } else if (share->from < out) {
        share->bytes = (size_t)(share->bytes * (share->to - out) / (share->to - share->from));
        share->from = out;
    }
    return share->bytes;
}

void line_ring_note(const struct line_ring *ring, struct line_share *share, size_t len)
{
    if (line_ring_waiting(ring, share) == 0) {
        share->from = ring->taken_bytes - len;
    }
    share->bytes += len;
    share->to = ring->taken_bytes;
}

static uint8_t byte_at(const struct line_ring *ring, size_t n)
{
    return ring->bytes[(ring->start + n) % ring->size];
}

size_t line_ring_next(const struct line_ring *ring, size_t max)
{
    if (ring->len <= max) {
        return ring->len;
    }
    size_t len = max;
    while (len > 0 && byte_at(ring, len - 1) != '\n') {
        len--;
    }
    return len > 0 ? len : max;
}

int line_ring_parts(const struct line_ring *ring, size_t len, struct iovec parts[static 2])
{
    size_t until_end = ring->size - ring->start;
    size_t first = len < until_end ? len : until_end;
    parts[0] = (struct iovec){.iov_base = ring->bytes + ring->start, .iov_len = first};
    parts[1] = (struct iovec){.iov_base = ring->bytes, .iov_len = len - first};
    return len > first ? 2 : 1;
}

size_t line_ring_lines(const struct line_ring *ring, size_t len)
{
    struct iovec parts[2];
    size_t lines = 0;
    int count = line_ring_parts(ring, len, parts);
    for (int i = 0; i < count; i++) {
        const char *at = parts[i].iov_base;
        const char *end = at + parts[i].iov_len;
        while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
            lines++;
            at++;
        }
    }
    return lines;
}

/* How many bytes of an unfinished line the first `len` end with. */
static size_t tail_of(const struct line_ring *ring, size_t len)
{
    size_t tail = 0;
    while (tail < len && byte_at(ring, len - 1 - tail) != '\n') {
        tail++;
    }
    return tail;
}

void line_ring_drop(struct line_ring *ring, size_t len)
{
    assert(len <= ring->len);
    size_t tail = tail_of(ring, len);
    ring->torn = tail == len ? ring->torn + len : tail;
    ring->len -= len;
    /* the same pages again where nothing waits */
    ring->start = ring->len > 0 ? (ring->start + len) % ring->size : 0;
}

bool line_ring_drop_torn(struct line_ring *ring)
{
    bool torn = ring->torn > 0;
    size_t rest = 0;
    while (torn && byte_at(ring, rest++) != '\n') {
    }
    line_ring_drop(ring, rest);
    return torn;
}
