/* The program's log: one event per line, text or JSON, written by a thread of its own: whatever
 * reads the log, no call here but log_finish() waits for it. */
#ifndef GRPCROUTE_BASE_LOG_H
#define GRPCROUTE_BASE_LOG_H

#include "base/log_words.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sets level and format for the process; the defaults are LOG_INFO and LOG_TEXT. */
void log_configure(enum log_level level, enum log_format format);
/* Whether warnings and errors show a peer's visible UTF-8 as such; by default all is escaped. */
void log_show_utf8(bool shown);
/* Whether text lines begin with the time (RFC 3339); by default they do not. */
void log_show_time(bool shown);
bool log_enabled(enum log_level level);

/* Writes one line: LOG_INFO and below to standard output, the rest to standard error.
 * `event` is the stable name in JSON ("stream_opened"); `pairs` ends with a NULL key and may be
 * NULL. Bytes outside printable ASCII are escaped, whatever a peer put into the arguments. Safe
 * from several threads; a line is never split. Messages are cut at 4 KiB. Where both outputs are
 * one file, lines are in it in the order of the calls. An output that takes no bytes has 1 MiB of
 * lines waiting for it; more are dropped and counted, and a line in their place says how many. A
 * text line:
 *
 *   [SERVER_v1/ID] Stream opened from agent-id=A agent-version=v1.1
 */
void log_event(enum log_level level, const struct log_source *source, const char *event,
               const struct log_pair *pairs, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Hands the lines so far to the thread; net_loop calls it once per loop turn. Happens by itself
 * when 32 KiB have collected, with a line on standard error, and at exit. */
void log_flush(void);

/* Waits until all lines are written, for 1 s if nothing is taken; for the end of a command and
 * before something else writes to the same files. Happens by itself at exit. Returns whether all
 * are written. */
bool log_finish(void);

/* Lines that were dropped since the start. */
uint64_t log_dropped(void);

/* From now on a pipe on standard output that nobody can read any more (`agent | head`) sends
 * SIGTERM to the program. */
void log_end_when_unread(void);

/* A debug line from a layer that must not log louder. */
#define log_debug(...)                                                                             \
    log_event(LOG_DEBUG, &(struct log_source){"debug", NULL, NULL}, "debug", NULL, __VA_ARGS__)

#endif
