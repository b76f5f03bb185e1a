/* One line of the log, as text or JSON. */
#include "base/log_line.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

const char *const log_level_names[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error", NULL};

#define FIELD_MAX_BYTES 1024 /* of a version, an id or a value, before escapes */

static atomic_int configured_format = LOG_TEXT;

static atomic_bool readable;
static atomic_bool timestamps;

void log_line_set_readable(bool is_readable)
{
    atomic_store(&readable, is_readable);
}

void log_line_set_timestamps(bool stamped)
{
    atomic_store(&timestamps, stamped);
}

void log_line_set_format(enum log_format format)
{
    atomic_store(&configured_format, (int)format);
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

/* The lines of the contract, which are read again, are informative; what a peer said of its reasons
 * is for people. */
static bool is_for_people(enum log_level level)
{
    return level >= LOG_WARN && atomic_load_explicit(&readable, memory_order_relaxed);
}

static void put_readable(struct buf *line, const char *text)
{
    char escaped[4 * LOG_MESSAGE_BYTES + 1];
    text_escape(escaped, sizeof(escaped), text, bounded_len(text, LOG_MESSAGE_BYTES));
    text_make_readable(escaped);
    put(line, escaped);
}

static void put_text_line(struct buf *line, enum log_level level, const struct log_source *source,
                          const char *message)
{
    if (atomic_load_explicit(&timestamps, memory_order_relaxed)) {
        char now[CLOCK_RFC3339_BYTES];
        clock_format_now(now);
        put(line, now);
        put(line, " ");
    }
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
    if (is_for_people(level)) {
        put_readable(line, message);
    } else {
        put_escaped(line, message, LOG_MESSAGE_BYTES);
    }
    put(line, "\n");
}

/* A string; JSON has escapes of its own for what must not reach a terminal. */
static void put_string(struct buf *line, enum log_level level, const char *text)
{
    char shown[LOG_MESSAGE_BYTES + 1];
    size_t len = bounded_len(text, LOG_MESSAGE_BYTES);
    memcpy(shown, text, len);
    shown[len] = '\0';
    if (is_for_people(level)) {
        text_make_readable(shown);
    }
    (void)json_append_string(line, shown, strlen(shown));
}

/* Appends `"key":"value",`; nothing when there is no value. */
static void put_pair(struct buf *line, enum log_level level, const struct log_pair *pair)
{
    if (pair->value == NULL) {
        return;
    }
    (void)json_append_string(line, pair->key, strlen(pair->key));
    put(line, ":");
    if (pair->is_number) {
        assert(pair->value[0] != '\0' && pair->value[strspn(pair->value, "0123456789")] == '\0');
        put(line, pair->value);
    } else {
        put_string(line, level, pair->value);
    }
    put(line, ",");
}

static void put_json_line(struct buf *line, enum log_level level, const struct log_source *source,
                          const char *event, const struct log_pair *pairs, const char *message)
{
    char now[CLOCK_RFC3339_BYTES];
    clock_format_now(now);
    put(line, "{");
    const struct log_pair *head =
        LOG_PAIRS({"time", now}, {"level", log_level_names[level]}, {"event", event},
                  {"role", source->role}, {"version", source->version}, {"id", source->id});
    for (; head->key != NULL; head++) {
        put_pair(line, level, head);
    }
    for (; pairs != NULL && pairs->key != NULL; pairs++) {
        put_pair(line, level, pairs);
    }
    put(line, "\"msg\":");
    put_string(line, level, message);
    put(line, "}\n");
}

void log_line_put(struct buf *line, enum log_level level, const struct log_source *source,
                  const char *event, const struct log_pair *pairs, const char *message)
{
    if (atomic_load_explicit(&configured_format, memory_order_relaxed) == LOG_JSON) {
        put_json_line(line, level, source, event, pairs, message);
    } else {
        put_text_line(line, level, source, message);
    }
}
