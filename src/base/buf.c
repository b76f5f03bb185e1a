/* A queue of bytes in one piece of storage that grows by doubling and moves its contents rarely. */
#include "base/buf.h"

#include "base/pool.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define FIRST_CAPACITY_BYTES ((size_t)256)
#define KEPT_CAPACITY_BYTES  ((size_t)2 * 1024) /* larger storage is freed once it is empty */

void buf_deinit(struct buf *buf)
{
    pool_free(buf->storage);
    *buf = (struct buf){0};
}

/* Copies the unread bytes to the front of larger storage. Returns 0 or -ENOMEM. */
static int grow(struct buf *buf, size_t needed_bytes)
{
    size_t capacity = buf->capacity > 0 ? buf->capacity : FIRST_CAPACITY_BYTES;
    while (capacity < needed_bytes) {
        capacity *= 2;
    }
    uint8_t *storage = pool_alloc(capacity);
    if (storage == NULL) {
        return -ENOMEM;
    }
    if (buf->len > 0) {
        memcpy(storage, buf_data(buf), buf->len);
    }
    pool_free(buf->storage);
    buf->storage = storage;
    buf->start = 0;
    buf->capacity = capacity;
    return 0;
}

uint8_t *buf_reserve(struct buf *buf, size_t len)
{
    if (len > SIZE_MAX / 4 || buf->len > SIZE_MAX / 4) {
        return NULL;
    }
    if (buf->capacity - buf->start - buf->len < len || buf->storage == NULL) {
        /* Moving pays only when fewer bytes move than were consumed since the last move; otherwise
         * a long queue with a slow reader would be moved again for every message. */
        bool moving_is_cheap = buf->start >= buf->len && buf->storage != NULL;
        if (moving_is_cheap && buf->capacity - buf->len >= len) {
            memmove(buf->storage, buf_data(buf), buf->len);
            buf->start = 0;
        } else {
            size_t doubled = buf->len + len > buf->capacity ? buf->len + len : buf->capacity * 2;
            if (grow(buf, doubled) != 0) {
                return NULL;
            }
        }
    }
    return buf->storage + buf->start + buf->len;
}

void buf_commit(struct buf *buf, size_t len)
{
    buf->len += len;
}

int buf_append(struct buf *buf, const void *bytes, size_t len, size_t cap_bytes)
{
    if (len > cap_bytes || buf->len > cap_bytes - len) {
        return BUF_E_FULL;
    }
    if (len == 0) {
        return 0;
    }
    uint8_t *room = buf_reserve(buf, len);
    if (room == NULL) {
        return -ENOMEM;
    }
    memcpy(room, bytes, len);
    buf->len += len;
    return 0;
}

void buf_consume(struct buf *buf, size_t len)
{
    if (len < buf->len) {
        buf->start += len;
        buf->len -= len;
        return;
    }
    buf->start = 0;
    buf->len = 0;
    if (buf->capacity > KEPT_CAPACITY_BYTES) {
        buf_deinit(buf);
    }
}
