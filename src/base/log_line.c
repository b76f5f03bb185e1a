/* One line of the log, as text or JSON. */
#include "base/log_line.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#define FIELD_MAX_BYTES 1024 /* of a version, an id or a value, before escapes */

static atomic_int configured_format = LOG_TEXT;

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
    put_escaped(line, message, LOG_MESSAGE_BYTES);
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
    (void)json_append_string(line, value, bounded_len(value, LOG_MESSAGE_BYTES));
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

void log_line_put(struct buf *line, enum log_level level, const struct log_source *source,
                  const char *event, const struct log_pair *pairs, const char *message)
{
    if (atomic_load_explicit(&configured_format, memory_order_relaxed) == LOG_JSON) {
        put_json_line(line, level, source, event, pairs, message);
    } else {
        put_text_line(line, source, message);
    }
}
