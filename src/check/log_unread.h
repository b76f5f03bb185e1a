/* What was not understood of logs: how many lines, and one of them to show. Pure. */
#ifndef GRPCROUTE_CHECK_LOG_UNREAD_H
#define GRPCROUTE_CHECK_LOG_UNREAD_H

#include "check/log_told.h"

#define CHECK_LOG_QUOTE 256

struct check_log_unread {
    uint64_t lines;
    uint64_t lost;               /* of them: evidence may be gone with them (check_log_is_lost()) */
    uint64_t strange;            /* of those: CHECK_LOG_STRANGE */
    uint64_t tails;              /* of all: CHECK_LOG_TAIL */
    uint64_t lost_tails;         /* of these: lost */
    char quote[CHECK_LOG_QUOTE]; /* the first lost one, else the first; escaped */
    bool quote_lost;
};

/* A line that says nothing; with `harmless` it is not lost, whatever it means. */
void check_log_count_unread(struct check_log_unread *unread, const char *line, size_t len,
                            enum check_log_meaning meaning, bool harmless);

/* Adds up what was not understood in several files. */
void check_log_add_unread(struct check_log_unread *sum, const struct check_log_unread *unread);

#endif
