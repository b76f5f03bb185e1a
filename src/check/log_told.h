/* What agents and servers tell, and the words of a line in which they do. Pure. */
#ifndef GRPCROUTE_CHECK_LOG_TOLD_H
#define GRPCROUTE_CHECK_LOG_TOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHECK_LOG_NAME_BYTES 320

enum check_log_kind {
    CHECK_LOG_AGENT_OPENED,
    CHECK_LOG_PONG,
    CHECK_LOG_SERVER_OPENED,
    CHECK_LOG_PING,
    CHECK_LOG_STREAM, /* has ended, by a proxy's log */
};

/* Where a proxy sent a stream; empty: nowhere, or it does not say. */
struct check_log_stream {
    char path[CHECK_LOG_NAME_BYTES];
    char cluster[CHECK_LOG_NAME_BYTES];
    char endpoint[CHECK_LOG_NAME_BYTES]; /* HOST:PORT */
    char reason[CHECK_LOG_NAME_BYTES];   /* why it ended; never empty */
    bool answered;                       /* the endpoint did, with a message */
    bool misrouted; /* by the proxy's own words: the rule that took it names another server */
    bool rewritten; /* version and id are as the routes left them, not as the agent sent them */
    uint64_t mark;  /* streams have different ones */
};

/* All names are printable ASCII; one that is too long ends with "...". Of a stream `version` and
 * `id` are what the agent sent, `peer_version` and `peer_id` who answered, or empty. */
struct check_log_event {
    enum check_log_kind kind;
    char version[CHECK_LOG_NAME_BYTES]; /* of who wrote the line */
    char id[CHECK_LOG_NAME_BYTES];
    char peer_version[CHECK_LOG_NAME_BYTES]; /* the server that answered, the agent that was seen */
    char peer_id[CHECK_LOG_NAME_BYTES];
    struct check_log_stream stream; /* CHECK_LOG_STREAM */
    const char *line; /* all of it, without colours; borrowed for the length of the call */
    size_t line_len;
};

/* In the order of what a line that says several things is counted as. */
enum check_log_meaning {
    CHECK_LOG_FOREIGN, /* nothing that is known */
    CHECK_LOG_TAIL,    /* the end of a line of ours whose beginning is missing */
    CHECK_LOG_LOST,    /* an agent's or server's line that is cut or of another form, or one that
                          says that lines are missing: evidence may be gone */
    CHECK_LOG_STRANGE, /* ... or one that no known carrier brings: a client may have sent it */
    CHECK_LOG_OTHER,   /* of ours, and without weight for a verdict */
    CHECK_LOG_SAID,    /* events */
};

static inline enum check_log_meaning check_log_heavier(enum check_log_meaning a,
                                                       enum check_log_meaning b)
{
    return a > b ? a : b;
}

static inline bool check_log_is_lost(enum check_log_meaning meaning)
{
    return meaning > CHECK_LOG_FOREIGN && meaning < CHECK_LOG_OTHER;
}

/* Of different lines: one that is lost is not made good by another. */
static inline enum check_log_meaning check_log_both(enum check_log_meaning a,
                                                    enum check_log_meaning b)
{
    bool a_counts = check_log_is_lost(a) || !check_log_is_lost(b);
    bool b_counts = check_log_is_lost(b) || !check_log_is_lost(a);
    return a_counts && b_counts ? check_log_heavier(a, b) : a_counts ? a : b;
}

/* What stands before a line of ours. */
struct check_log_prefix {
    const char *text;
    size_t len;
};

void check_log_escape_name(char out[static CHECK_LOG_NAME_BYTES], const char *from,
                           const char *end);

/* "[AGENT_VERSION/ID] ": takes both names, and moves `*at` behind it. False: it is no front. */
bool check_log_take_front(const char **at, struct check_log_event *event);

/* Where another line begins in the words of this one, or NULL: nobody ended this one. What somebody
 * said, behind a quote or as a name, is no line. */
const char *check_log_find_joined(const char *words);

/* The words behind a front. With `cut` they may lack their end. */
enum check_log_meaning check_log_parse_words(const char *at, bool is_agent, bool cut,
                                             const struct check_log_prefix *prefix,
                                             struct check_log_event *event);

#endif
