/* A queue of bytes: appended at the end, consumed at the front, with a hard cap. */
#ifndef GRPCROUTE_BASE_BUF_H
#define GRPCROUTE_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

/* Zero-initialised means empty; the storage is allocated with the first byte. */
struct buf {
    uint8_t *storage; /* owned */
    size_t start;     /* first unread byte */
    size_t len;       /* unread bytes */
    size_t capacity;
};

enum buf_outcome {
    BUF_E_FULL = 1, /* the cap would be passed; nothing was appended */
};

/* Frees the storage and makes the buffer empty again. */
void buf_deinit(struct buf *buf);

/* First unread byte; valid until the next call on `buf`. NULL before the first byte. */
static inline uint8_t *buf_data(const struct buf *buf)
{
    /* NULL + 0 is undefined in C. */
    return buf->storage != NULL ? buf->storage + buf->start : NULL;
}

/* Appends `len` bytes unless more than `cap_bytes` would then be unread.
 * Returns 0, BUF_E_FULL or -ENOMEM. */
int buf_append(struct buf *buf, const void *bytes, size_t len, size_t cap_bytes);

/* Makes room for `len` more bytes behind the unread ones and returns where they go, or NULL when
 * there is no memory; buf_commit() then counts what was written. */
uint8_t *buf_reserve(struct buf *buf, size_t len);
void buf_commit(struct buf *buf, size_t len);

/* Drops `len` bytes, at most all, from the front; gives storage above 2 KiB back when empty. */
void buf_consume(struct buf *buf, size_t len);

#endif
