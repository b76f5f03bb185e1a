/* What one line of a log says, whatever carried it. Pure. */
#ifndef GRPCROUTE_CHECK_LOG_EVENT_H
#define GRPCROUTE_CHECK_LOG_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
    const char *line; /* all of it, without colours; borrowed for the length of the call */
    size_t line_len;
};

typedef void check_log_on_event(void *user, const struct check_log_event *event);

/* In the order of what a line that says several things is counted as. */
enum check_log_meaning {
    CHECK_LOG_FOREIGN, /* nothing that is known */
    CHECK_LOG_LOST,    /* an agent's or server's line that is cut or of another form, or one that
                          says that lines are missing: evidence may be gone */
    CHECK_LOG_OTHER,   /* of ours, and without weight for a verdict */
    CHECK_LOG_SAID,    /* events */
};

/* Reads `line`, which is clean (base/text_line.h), and calls `on_event` for what it says. A whole line of
 * an agent or server counts wherever it begins; what stands before it is a prefix. With `cut` the
 * line may lack its end: what could then be another name is CHECK_LOG_LOST. */
enum check_log_meaning check_log_read(const char *line, size_t len, bool cut,
                                      check_log_on_event *on_event, void *user);

/* Where `line` itself begins an agent's or server's text, or NULL. */
const char *check_log_find_front(const char *line);

/* The words of an agent or server, read or not. */
bool check_log_mentions_us(const char *line);

#endif
