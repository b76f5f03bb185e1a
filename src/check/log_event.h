/* What one line of a log says, whatever carried it. Pure. */
#ifndef GRPCROUTE_CHECK_LOG_EVENT_H
#define GRPCROUTE_CHECK_LOG_EVENT_H

#include "check/log_part.h"
#include "check/log_told.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void check_log_on_event(void *user, const struct check_log_event *event);

/* The headers in which agents say who they are, where a log names its values by them. */
struct check_log_headers {
    const char *version;
    const char *id;
};

struct check_log_line {
    const char *text; /* clean (base/text_line.h) */
    size_t len;
    size_t blanks; /* that stood at its end: of a part they belong to the line */
    bool at_end;   /* the last of its file, which may have been cut there */
    const struct check_log_headers *headers; /* borrowed; NULL: the usual ones */
    bool cut; /* it may lack its end: what could then be another name is CHECK_LOG_LOST */
};

/* Reads a line and calls `on_event` for what it says. A whole line of an agent or server counts
 * wherever it begins; what stands before it is a prefix. A part of one waits in `parts` for the
 * rest (CHECK_LOG_OTHER). */
enum check_log_meaning check_log_read(const struct check_log_line *line,
                                      struct check_log_parts *parts, check_log_on_event *on_event,
                                      void *user);

#endif
