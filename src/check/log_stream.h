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

#endif
