/* Where lines of the log wait for a thread that writes them, so that no loop ever waits for the
 * reader of a log. */
#ifndef GRPCROUTE_BASE_LOG_OUT_H
#define GRPCROUTE_BASE_LOG_OUT_H

#include "base/log_words.h"

#include <stdbool.h>
#include <stdint.h>

/* Appends a line to the queue of its file, or drops and counts it when the queue is full. */
void log_out_put(enum log_level level, const struct log_source *source, const char *event,
                 const struct log_pair *pairs, const char *message);

/* The four calls of log.h that they are named after; `patience_ms` is how long a file may take no
 * bytes before it is given up. */
void log_out_flush(void);
bool log_out_drain(unsigned patience_ms);
uint64_t log_out_dropped(void);
void log_out_end_when_unread(void);

#endif
