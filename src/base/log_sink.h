/* The lines that wait for standard output and standard error, and how these take them. Pure: who
 * writes, and the lock, are log_out.c's. */
#ifndef GRPCROUTE_BASE_LOG_SINK_H
#define GRPCROUTE_BASE_LOG_SINK_H

#include "base/buf.h"
#include "base/log_words.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct log_sink {
    int fd;
    const char *name;
    struct log_sink *other;
    struct buf queue;          /* records: a head and a line each */
    size_t first_written;      /* bytes of the first line that are out */
    bool dropping;             /* since the queue was full, until half of it is free */
    uint64_t dropped;          /* lines, since then */
    uint64_t blocked_since_ms; /* it takes no bytes; 0: it does */
    uint64_t blocked_ms;       /* the longest time it took none, while dropping */
    int error;                 /* errno of the last write, told on the other file; 0: good */
    uint64_t retry_at_ms;      /* not to be written to before, after an error */
};

/* Appends a line; a full queue drops and counts it instead and returns false. */
bool log_sink_put(struct log_sink *sink, enum log_level level, const struct log_source *source,
                  const char *event, const struct log_pair *pairs, const char *message);

/* Whether it has lines and does not rest after an error. */
bool log_sink_is_due(const struct log_sink *sink);

/* Whether both are one pipe or terminal, where the order of lines is seen. */
bool log_sink_same_file(const struct log_sink *a, const struct log_sink *b);

/* The one of the two whose turn it is, NULL when there is nothing to write; `*ret_second` is the
 * other one if that has lines, too, else NULL. */
struct log_sink *log_sink_next(struct log_sink *sink, struct log_sink **ret_second);

/* Copies whole lines into `out`, or the part of a long one that fits, but none that came after the
 * first line of `before` (NULL: all may go). Returns the number of bytes. */
size_t log_sink_copy(const struct log_sink *sink, const struct log_sink *before,
                     char out[static PIPE_BUF]);

/* What became of a write: `len` bytes went out; the file is full; or errno. */
void log_sink_taken(struct log_sink *sink, size_t len);
void log_sink_blocked(struct log_sink *sink);
void log_sink_failed(struct log_sink *sink, int error);

/* Drops the lines that nobody will write and tells their number on the other file. */
void log_sink_give_up(struct log_sink *sink);

/* Lines that were dropped, of both. */
uint64_t log_sink_dropped(void);

#endif
