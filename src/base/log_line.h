/* How a line of the log reads. */
#ifndef GRPCROUTE_BASE_LOG_LINE_H
#define GRPCROUTE_BASE_LOG_LINE_H

#include "base/buf.h"
#include "base/log_words.h"

#define LOG_MESSAGE_BYTES 4096 /* of one message, before escapes */

void log_line_set_format(enum log_format format);

/* Whether warnings and errors show a peer's visible UTF-8 as such; else all of it stays escaped. */
void log_line_set_readable(bool readable);

/* Whether a text line begins with the time, in RFC 3339 with milliseconds; JSON always has it. */
void log_line_set_timestamps(bool stamped);

/* Appends one line with its newline; the arguments are those of log_event(). */
void log_line_put(struct buf *line, enum log_level level, const struct log_source *source,
                  const char *event, const struct log_pair *pairs, const char *message);

#endif
