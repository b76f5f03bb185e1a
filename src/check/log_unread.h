/* What was not understood of logs: how many lines, and one of them to show. Pure. */
#ifndef GRPCROUTE_CHECK_LOG_UNREAD_H
#define GRPCROUTE_CHECK_LOG_UNREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHECK_LOG_QUOTE 256

struct check_log_unread {
    uint64_t lines;
    uint64_t lost; /* of them: evidence may be gone with them (CHECK_LOG_LOST) */
    char quote[CHECK_LOG_QUOTE]; /* the first lost one, else the first; escaped */
    bool quote_lost;
};

void check_log_count_unread(struct check_log_unread *unread, const char *line, size_t len,
                            bool lost);

/* Adds up what was not understood in several files. */
void check_log_add_unread(struct check_log_unread *sum, const struct check_log_unread *unread);

#endif
