/* The log: lines are built under one lock, collected, and written out once per loop turn.
 *
 * Happy path: log_event() appends a line to `pending`, the loop calls log_flush(), one write().
 * Failure modes: a full pipe makes us wait, as any program would; a closed one drops the lines. */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_MAX_BYTES 4096        /* of one message, before escapes */
#define FIELD_MAX_BYTES   1024        /* of a version, an id or a value, before escapes */
#define PENDING_MAX_BYTES (32 * 1024) /* written out at once when so much has collected */

static atomic_int configured_level = LOG_INFO;
static atomic_int configured_format = LOG_TEXT;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct buf pending;   /* guarded by lock: lines for standard output */
static bool flushes_at_exit; /* guarded by lock */

void log_configure(enum log_level level, enum log_format format)
{
    atomic_store(&configured_level, (int)level);
    atomic_store(&configured_format, (int)format);
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&configured_level, memory_order_relaxed);
}

/* A log that cannot grow loses the piece: there is nobody left to tell. */
static void put(struct buf *line, const char *text)
{
    (void)buf_append(line, text, strlen(text), SIZE_MAX);
}

static size_t bounded_len(const char *text, size_t max_bytes)
{
    size_t len = strlen(text);
    return len < max_bytes ? len : max_bytes;
}

static void put_escaped(struct buf *line, const char *text, size_t max_bytes)
{
    char piece[256];
    size_t len = bounded_len(text, max_bytes);
    for (size_t at = 0; at < len; at += 63) { /* 4 * 63 bytes and NUL fit */
        size_t part = len - at < 63 ? len - at : 63;
        size_t escaped_len = text_escape(piece, sizeof(piece), text + at, part);
        (void)buf_append(line, piece, escaped_len, SIZE_MAX);
    }
}

static void put_role_in_capitals(struct buf *line, const char *role)
{
    char capitals[32];
    size_t len = 0;
    for (; role[len] != '\0' && len < sizeof(capitals) - 1; len++) {
        bool lower = role[len] >= 'a' && role[len] <= 'z';
        capitals[len] = (char)(lower ? role[len] - 'a' + 'A' : role[len]);
    }
    capitals[len] = '\0';
    put_escaped(line, capitals, len);
}

static void put_text_line(struct buf *line, const struct log_source *source, const char *message)
{
    put(line, "[");
    put_role_in_capitals(line, source->role);
    if (source->version != NULL) {
        put(line, "_");
        put_escaped(line, source->version, FIELD_MAX_BYTES);
    }
    if (source->id != NULL) {
        put(line, "/");
        put_escaped(line, source->id, FIELD_MAX_BYTES);
    }
    put(line, "] ");
    put_escaped(line, message, MESSAGE_MAX_BYTES);
    put(line, "\n");
}

/* Appends `"key":"value",`; nothing when there is no value. */
static void put_pair(struct buf *line, const char *key, const char *value)
{
    if (value == NULL) {
        return;
    }
    (void)json_append_string(line, key, strlen(key));
    put(line, ":");
    (void)json_append_string(line, value, bounded_len(value, MESSAGE_MAX_BYTES));
    put(line, ",");
}

static void put_json_line(struct buf *line, enum log_level level, const struct log_source *source,
                          const char *event, const struct log_pair *pairs, const char *message)
{
    static const char *const LEVELS[] = {"debug", "info", "warn", "error"};
    char now[CLOCK_RFC3339_BYTES];
    clock_format_now(now);
    put(line, "{");
    put_pair(line, "time", now);
    put_pair(line, "level", LEVELS[level]);
    put_pair(line, "event", event);
    put_pair(line, "role", source->role);
    put_pair(line, "version", source->version);
    put_pair(line, "id", source->id);
    for (; pairs != NULL && pairs->key != NULL; pairs++) {
        put_pair(line, pairs->key, pairs->value);
    }
    put(line, "\"msg\":");
    (void)json_append_string(line, message, strlen(message));
    put(line, "}\n");
}

static void write_all(int fd, const struct buf *lines)
{
    const uint8_t *bytes = buf_data(lines);
    for (size_t written = 0; written < lines->len;) {
        ssize_t n = write(fd, bytes + written, lines->len - written);
        if (n >= 0) {
            written += (size_t)n;
        } else if (errno == EAGAIN) { /* the other end of a shared pipe made it non-blocking */
            (void)poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        } else if (errno != EINTR) {
            return;
        }
    }
}

static void flush_locked(void)
{
    write_all(STDOUT_FILENO, &pending);
    buf_consume(&pending, pending.len);
}

void log_flush(void)
{
    pthread_mutex_lock(&lock);
    flush_locked();
    pthread_mutex_unlock(&lock);
}

static void put_line(struct buf *line, enum log_level level, const struct log_source *source,
                     const char *event, const struct log_pair *pairs, const char *message)
{
    if (atomic_load_explicit(&configured_format, memory_order_relaxed) == LOG_JSON) {
        put_json_line(line, level, source, event, pairs, message);
    } else {
        put_text_line(line, source, message);
    }
}

void log_event(enum log_level level, const struct log_source *source, const char *event,
               const struct log_pair *pairs, const char *format, ...)
{
    char message[MESSAGE_MAX_BYTES];
    if (!log_enabled(level)) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    if (len < 0) {
        message[0] = '\0';
    } else if (len >= (int)sizeof(message)) {
        memcpy(message + sizeof(message) - 4, "...", 4);
    }

    pthread_mutex_lock(&lock);
    if (!flushes_at_exit) {
        flushes_at_exit = atexit(log_flush) == 0;
    }
    if (level >= LOG_WARN) { /* what came before must be seen before */
        flush_locked();
        struct buf line = {0};
        put_line(&line, level, source, event, pairs, message);
        write_all(STDERR_FILENO, &line);
        buf_deinit(&line);
    } else {
        put_line(&pending, level, source, event, pairs, message);
        if (pending.len >= PENDING_MAX_BYTES) {
            flush_locked();
        }
    }
    pthread_mutex_unlock(&lock);
}
