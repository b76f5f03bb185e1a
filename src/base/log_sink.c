#include "base/log_sink.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log_line.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define QUEUE_MAX_BYTES ((size_t)1024 * 1024) /* of one file; then lines are dropped */
#define RETRY_MS        1000                  /* between two writes to a file that fails */

/* In front of every line in a queue. */
struct record {
    uint64_t number; /* counts the lines of both files */
    size_t len;
};

static uint64_t next_number;
static atomic_uint_fast64_t dropped_total;

/* ---- queue ----------------------------------------------------------------------------------- */

static struct record first_record(const struct log_sink *sink)
{
    struct record record;
    assert(sink->queue.len >= sizeof(record));
    memcpy(&record, buf_data(&sink->queue), sizeof(record));
    return record;
}

static void append(struct log_sink *sink, enum log_level level, const struct log_source *source,
                   const char *event, const struct log_pair *pairs, const char *message)
{
    struct buf *queue = &sink->queue;
    struct record record = {.number = next_number++};
    size_t before = queue->len;
    if (buf_append(queue, &record, sizeof(record), SIZE_MAX) != 0) {
        atomic_fetch_add(&dropped_total, 1); /* no memory, and nobody to tell */
        return;
    }
    log_line_put(queue, level, source, event, pairs, message);
    record.len = queue->len - before - sizeof(record);
    memcpy(buf_data(queue) + before, &record, sizeof(record));
}

bool log_sink_put(struct log_sink *sink, enum log_level level, const struct log_source *source,
                  const char *event, const struct log_pair *pairs, const char *message)
{
    if (sink->dropping || sink->queue.len >= QUEUE_MAX_BYTES) {
        sink->dropping = true;
        sink->dropped++;
        atomic_fetch_add(&dropped_total, 1);
        return false;
    }
    append(sink, level, source, event, pairs, message);
    return true;
}

size_t log_sink_copy(const struct log_sink *sink, const struct log_sink *before,
                     char out[static PIPE_BUF])
{
    const uint64_t end_number = before != NULL ? first_record(before).number : UINT64_MAX;
    const uint8_t *at = buf_data(&sink->queue);
    const uint8_t *end = at + sink->queue.len;
    size_t skip = sink->first_written;
    size_t len = 0;
    while (at < end) {
        struct record record;
        memcpy(&record, at, sizeof(record));
        size_t left = record.len - skip;
        size_t room = PIPE_BUF - len;
        if (len > 0 && (left > room || record.number > end_number)) {
            break;
        }
        size_t part = left < room ? left : room;
        memcpy(out + len, at + sizeof(record) + skip, part);
        len += part;
        at += sizeof(record) + record.len;
        skip = 0;
        if (part < left) {
            break;
        }
    }
    return len;
}

/* ---- what the log says about itself ---------------------------------------------------------- */

static void tell(struct log_sink *sink, const char *event, const struct log_pair *pairs,
                 const char *message)
{
    append(sink, LOG_WARN, &(struct log_source){"log", NULL, NULL}, event, pairs, message);
}

/* Between the last line that found room and the next one. */
static void tell_dropped(struct log_sink *sink)
{
    char lines[24];
    char message[160];
    snprintf(lines, sizeof(lines), "%" PRIu64, sink->dropped);
    if (sink->blocked_ms >= 1000) {
        snprintf(message, sizeof(message),
                 "%s log lines were dropped: %s took no bytes for %" PRIu64 "s", lines, sink->name,
                 sink->blocked_ms / 1000);
    } else {
        snprintf(message, sizeof(message), "%s log lines were dropped: %s took bytes too slowly",
                 lines, sink->name);
    }
    tell(sink, "log_lines_dropped", LOG_PAIRS({"lines", lines, true}), message);
    sink->dropping = false;
    sink->dropped = 0;
    sink->blocked_ms = 0;
}

/* On the other file, unless that has failed, too. */
static void tell_failed(const struct log_sink *sink)
{
    char message[160];
    if (sink->other->error == 0 && sink->other->blocked_since_ms == 0) {
        snprintf(message, sizeof(message), "%s cannot be written: %s", sink->name,
                 strerror(sink->error));
        tell(sink->other, "log_failed", LOG_PAIRS({"error", strerror(sink->error)}), message);
    }
}

void log_sink_give_up(struct log_sink *sink)
{
    uint64_t count = sink->dropped;
    while (sink->queue.len > 0) {
        buf_consume(&sink->queue, sizeof(struct record) + first_record(sink).len);
        atomic_fetch_add(&dropped_total, 1);
        count++;
    }
    sink->first_written = 0;
    if (count > 0) {
        char lines[24];
        char message[160];
        snprintf(lines, sizeof(lines), "%" PRIu64, count);
        snprintf(message, sizeof(message), "%s log lines were dropped: %s takes no bytes", lines,
                 sink->name);
        tell(sink->other, "log_lines_dropped", LOG_PAIRS({"lines", lines, true}), message);
    }
}

uint64_t log_sink_dropped(void)
{
    return atomic_load_explicit(&dropped_total, memory_order_relaxed);
}

/* ---- what became of a write ------------------------------------------------------------------ */

static void start_blocked(struct log_sink *sink)
{
    if (sink->blocked_since_ms == 0) {
        sink->blocked_since_ms = clock_now_ms();
    }
}

void log_sink_blocked(struct log_sink *sink)
{
    start_blocked(sink);
    sink->error = 0; /* whatever it was, it is full now */
}

static void end_blocked(struct log_sink *sink)
{
    if (sink->blocked_since_ms != 0) {
        uint64_t blocked_ms = clock_now_ms() - sink->blocked_since_ms;
        sink->blocked_ms = blocked_ms > sink->blocked_ms ? blocked_ms : sink->blocked_ms;
        sink->blocked_since_ms = 0;
    }
}

void log_sink_taken(struct log_sink *sink, size_t len)
{
    end_blocked(sink);
    sink->error = 0;
    while (len > 0) {
        struct record record = first_record(sink);
        size_t left = record.len - sink->first_written;
        if (len < left) {
            sink->first_written += len;
            return;
        }
        buf_consume(&sink->queue, sizeof(record) + record.len);
        sink->first_written = 0;
        len -= left;
    }
    if (sink->dropping && sink->queue.len <= QUEUE_MAX_BYTES / 2) {
        tell_dropped(sink);
    } else if (!sink->dropping) {
        sink->blocked_ms = 0; /* it cost nothing */
    }
}

void log_sink_failed(struct log_sink *sink, int error)
{
    start_blocked(sink);
    if (error == EINTR || error == EAGAIN) { /* somebody else filled the pipe after our poll() */
        return;
    }
    sink->retry_at_ms = clock_now_ms() + RETRY_MS;
    if (error != sink->error) {
        sink->error = error;
        tell_failed(sink);
    }
}

/* ---- turns ----------------------------------------------------------------------------------- */

bool log_sink_is_due(const struct log_sink *sink)
{
    return sink->queue.len > 0 && (sink->error == 0 || clock_now_ms() >= sink->retry_at_ms);
}

bool log_sink_same_file(const struct log_sink *a, const struct log_sink *b)
{
    return file_is_same_fd(a->fd, b->fd);
}

/* The other file is the same one and rests after an error in the middle of a line. */
static bool would_split_a_line(const struct log_sink *sink)
{
    return sink->other->first_written > 0 && log_sink_same_file(sink, sink->other);
}

struct log_sink *log_sink_next(struct log_sink *sink, struct log_sink **ret_second)
{
    struct log_sink *first = log_sink_is_due(sink) ? sink : NULL;
    struct log_sink *second = log_sink_is_due(sink->other) ? sink->other : NULL;
    *ret_second = NULL;
    if (first == NULL || second == NULL) {
        struct log_sink *only = first != NULL ? first : second;
        return only != NULL && !would_split_a_line(only) ? only : NULL;
    }
    bool in_order = first_record(first).number < first_record(second).number;
    *ret_second = in_order ? second : first;
    return in_order ? first : second;
}
