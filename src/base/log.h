/* The program's log: one event per line, text or JSON, buffered until the end of a loop turn. */
#ifndef GRPCROUTE_BASE_LOG_H
#define GRPCROUTE_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

enum log_format { LOG_TEXT, LOG_JSON };

/* Who speaks: "[AGENT_v1.1/ID]" in text; "role", "version" and "id" in JSON. Borrowed. */
struct log_source {
    const char *role;    /* "agent", "server", "proxy"; shown in capitals in text */
    const char *version; /* NULL: none */
    const char *id;      /* NULL: none */
};

/* A pair for JSON; text lines carry the same facts in their message. */
struct log_pair {
    const char *key;
    const char *value;
};

/* clang-format off */
#define LOG_PAIRS(...) (const struct log_pair[]){__VA_ARGS__, {NULL, NULL}}
/* clang-format on */

/* Sets level and format for the process; the defaults are LOG_INFO and LOG_TEXT. */
void log_configure(enum log_level level, enum log_format format);
bool log_enabled(enum log_level level);

/* Writes one line: LOG_INFO and below to standard output, the rest to standard error.
 * `event` is the stable name in JSON ("stream_opened"); `pairs` ends with a NULL key and may be
 * NULL. Bytes outside printable ASCII are escaped, whatever a peer put into the arguments. Safe
 * from several threads; a line is never split. Messages are cut at 4 KiB. A text line:
 *
 *   [SERVER_v1/ID] Stream opened from agent-id=A agent-version=v1.1
 */
void log_event(enum log_level level, const struct log_source *source, const char *event,
               const struct log_pair *pairs, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Writes out what is buffered; net_loop calls it once per loop turn. Happens by itself when 32 KiB
 * have collected, before a line on standard error, and at exit. */
void log_flush(void);

/* A debug line from a layer that must not log louder. */
#define log_debug(...)                                                                             \
    log_event(LOG_DEBUG, &(struct log_source){"debug", NULL, NULL}, "debug", NULL, __VA_ARGS__)

#endif
