/* Logs of agents and servers, from bytes to events. Pure: bytes in, events out. */
#ifndef GRPCROUTE_CHECK_LOG_LINE_H
#define GRPCROUTE_CHECK_LOG_LINE_H

#include "base/text_line.h"
#include "check/log_event.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of longer lines only the front is kept: none of ours is as long, escaped by two who carry it. */
#define CHECK_LOG_LINE_BYTES 32768
#define CHECK_LOG_QUOTE      256

/* What was not understood: how many lines, and the first of them, escaped. */
struct check_log_unread {
    uint64_t lines;
    uint64_t lost; /* of them: evidence may be gone with them (CHECK_LOG_LOST) */
    char quote[CHECK_LOG_QUOTE]; /* the first lost one, else the first */
    bool quote_lost;
};

struct check_log_buffer {
    char bytes[CHECK_LOG_LINE_BYTES];
    size_t len;
    bool too_long;
};

/* Splits the bytes of a file into lines; zeroed at first. */
struct check_log_reader {
    struct text_decoder decoder;
    struct check_log_buffer line;
    struct check_log_buffer parts[2]; /* lines that containerd cut, of stdout and stderr */
    uint64_t lines;                   /* with something on them */
    struct check_log_unread unread;
};

/* Feeds bytes, cut anywhere; calls `on_event` for each line that tells one. */
void check_log_feed(struct check_log_reader *reader, const char *bytes, size_t len,
                    check_log_on_event *on_event, void *user);

/* The end of a file: its last line may lack its newline, and counts as far as it is whole. */
void check_log_finish(struct check_log_reader *reader, check_log_on_event *on_event, void *user);

/* Adds up what was not understood in several files. */
void check_log_add_unread(struct check_log_unread *sum, const struct check_log_unread *unread);

#endif
