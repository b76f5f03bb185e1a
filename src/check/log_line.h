/* Log lines of agents and servers, from bytes to events. Pure: bytes in, events out. */
#ifndef GRPCROUTE_CHECK_LOG_LINE_H
#define GRPCROUTE_CHECK_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longer lines are counted and skipped: none of ours is as long. */
#define CHECK_LOG_LINE_BYTES 8192
#define CHECK_LOG_NAME_BYTES 320

enum check_log_kind {
    CHECK_LOG_AGENT_OPENED,
    CHECK_LOG_PONG,
    CHECK_LOG_SERVER_OPENED,
    CHECK_LOG_PING,
};

/* All names are printable ASCII; one that is too long ends with "...". */
struct check_log_event {
    enum check_log_kind kind;
    char version[CHECK_LOG_NAME_BYTES]; /* of who wrote the line */
    char id[CHECK_LOG_NAME_BYTES];
    char peer_version[CHECK_LOG_NAME_BYTES]; /* the server that answered, the agent that was seen */
    char peer_id[CHECK_LOG_NAME_BYTES];
    const char *line; /* as it came; borrowed for the length of the call */
    size_t line_len;
};

typedef void check_log_on_event(void *user, const struct check_log_event *event);

/* Splits a stream of bytes into lines; zeroed at first. */
struct check_log_reader {
    char line[CHECK_LOG_LINE_BYTES];
    size_t len;
    bool too_long;
    uint64_t lines;
    uint64_t skipped; /* lines that are too long */
};

/* Feeds bytes, cut anywhere; calls `on_event` for each line that tells one. */
void check_log_feed(struct check_log_reader *reader, const char *bytes, size_t len,
                    check_log_on_event *on_event, void *user);

/* The end of a file: a last line without its newline may be cut, so it is no evidence. */
void check_log_finish(struct check_log_reader *reader);

#endif
