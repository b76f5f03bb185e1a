/* Logs of agents and servers, from bytes to events. Pure: bytes in, events out. */
#ifndef GRPCROUTE_CHECK_LOG_LINE_H
#define GRPCROUTE_CHECK_LOG_LINE_H

#include "check/log_buffer.h"
#include "check/log_event.h"
#include "check/log_part.h"
#include "check/log_unread.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longer lines are not read, but searched for the words of agents and servers. A query's answer in
 * one line (Loki, Elasticsearch) is as long. */
#define CHECK_LOG_LINE_BYTES  8388608
#define CHECK_LOG_MAGIC_BYTES 6

/* Splits the bytes of a file into lines; zeroed at first. */
struct check_log_reader {
    struct check_log_buffer line;
    struct check_log_buffer numbers; /* an array of bytes that is written over several lines */
    struct check_log_parts parts;
    uint64_t lines; /* with something on them */
    struct check_log_unread unread;
    unsigned char magic[CHECK_LOG_MAGIC_BYTES]; /* the file's first bytes */
    size_t magic_len;
    bool in_numbers;
    bool numbers_strange;                    /* the array is under a name that carries no lines */
    const struct check_log_headers *headers; /* borrowed; NULL: the usual ones */
};

/* Feeds bytes, cut anywhere; calls `on_event` for each line that tells one. */
void check_log_feed(struct check_log_reader *reader, const char *bytes, size_t len,
                    check_log_on_event *on_event, void *user);

/* The end of a file: its last line may lack its newline, and counts as far as it is whole. Frees
 * what the reader holds, but not what it counted. */
void check_log_finish(struct check_log_reader *reader, check_log_on_event *on_event, void *user);

/* The format that the file is packed in, by its first bytes ("gzip"), or NULL. */
const char *check_log_packed(const struct check_log_reader *reader);

#endif
