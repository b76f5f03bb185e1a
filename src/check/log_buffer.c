#include "check/log_buffer.h"

#include "base/mem.h"
#include "base/text_line.h"
#include "check/log_words.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 512
#define KEPT_BYTES  65536 /* storage that stays from line to line */
#define FRONT_BYTES 256   /* of a line that is too long: enough to be quoted */
#define TAIL_BYTES  256   /* longer than any word, in UTF-16 and with colours */

static void reserve(struct check_log_buffer *buffer, size_t len)
{
    if (len + 1 <= buffer->capacity) {
        return;
    }
    size_t capacity = buffer->capacity > 0 ? buffer->capacity : FIRST_BYTES;
    while (capacity < len + 1) {
        capacity *= 2;
    }
    buffer->bytes = mem_realloc(buffer->bytes, capacity);
    buffer->capacity = capacity;
}

/* Searches what is there, and keeps of it the front and the latest bytes. */
static void shorten(struct check_log_buffer *buffer)
{
    char front[FRONT_BYTES];
    char tail[TAIL_BYTES];
    assert(buffer->len >= FRONT_BYTES + TAIL_BYTES);
    memcpy(front, buffer->bytes, sizeof(front));
    memcpy(tail, buffer->bytes + buffer->len - sizeof(tail), sizeof(tail));
    buffer->mentions_us =
        check_log_mentions_us(check_log_buffer_end(buffer)) || buffer->mentions_us;
    buffer->too_long = true;
    memcpy(buffer->bytes, front, sizeof(front));
    memcpy(buffer->bytes + sizeof(front), tail, sizeof(tail));
    buffer->len = sizeof(front) + sizeof(tail);
}

void check_log_buffer_put(struct check_log_buffer *buffer, const char *bytes, size_t len,
                          size_t max_bytes)
{
    assert(max_bytes > 2 * (FRONT_BYTES + TAIL_BYTES));
    while (len > 0) {
        if (buffer->len == max_bytes) {
            shorten(buffer);
        }
        size_t room = max_bytes - buffer->len;
        size_t part = len < room ? len : room;
        reserve(buffer, buffer->len + part);
        memcpy(buffer->bytes + buffer->len, bytes, part);
        buffer->len += part;
        bytes += part;
        len -= part;
    }
}

char *check_log_buffer_end(struct check_log_buffer *buffer)
{
    reserve(buffer, buffer->len);
    buffer->len = text_clean_line(buffer->bytes, buffer->len);
    return buffer->bytes;
}

void check_log_buffer_clear(struct check_log_buffer *buffer)
{
    if (buffer->capacity > KEPT_BYTES) {
        check_log_buffer_deinit(buffer);
    }
    buffer->len = 0;
    buffer->too_long = false;
    buffer->mentions_us = false;
}

void check_log_buffer_deinit(struct check_log_buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct check_log_buffer){0};
}
