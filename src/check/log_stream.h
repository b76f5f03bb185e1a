/* Lines of a proxy about streams that have ended: the stream log, as docs/logs.md has it, and
 * Traefik's access log. Inside check/ only; pure. */
#ifndef GRPCROUTE_CHECK_LOG_STREAM_H
#define GRPCROUTE_CHECK_LOG_STREAM_H

#include "check/log_reading.h"

/* An object of such a log, whole or not. */
bool check_log_is_stream(const cJSON *object);

/* Tells it. One that lacks what is needed, or has it in another form, is CHECK_LOG_LOST. */
enum check_log_meaning check_log_read_stream(const struct check_log_reading *reading,
                                             const cJSON *object);

/* Whether an object that begins at `from` in `text`, and ends before `end`, is a line of its own
 * behind a prefix. Where more text follows, or a proxy's message goes before, somebody quotes it,
 * and that may be a client. */
bool check_log_stands_alone(const char *text, const char *from, const char *end);

#endif
