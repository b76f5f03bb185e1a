/* A line that is being read, and the lines of agents and servers themselves: the words behind a
 * front, quoted or not, and objects of ours. Inside check/ only; pure. */
#ifndef GRPCROUTE_CHECK_LOG_READING_H
#define GRPCROUTE_CHECK_LOG_READING_H

#include "check/log_event.h"

#include <cjson/cJSON.h>

#define CHECK_LOG_HEADER_BYTES 257 /* of a header's name, with its NUL */
#define CHECK_LOG_DEPTH_MAX    6   /* of lines within objects within lines */

struct check_log_cut;
struct check_log_repeat;

struct check_log_reading {
    const char *line; /* all of it, to be shown */
    size_t line_len;
    const struct check_log_headers *headers; /* NULL: the usual ones */
    bool cut;
    size_t blanks; /* that stood at the end of the text */
    unsigned depth;
    const char *in; /* the member that the object is which is read; "": none */
    struct check_log_parts *parts;
    struct check_log_repeat *repeat; /* the object that is read; NULL: none */
    check_log_on_event *on_event;
    void *user;
};

/* Passes on what a line says, unless that was told before. Returns `meaning`. */
enum check_log_meaning check_log_tell(const struct check_log_reading *reading,
                                      struct check_log_event *event,
                                      enum check_log_meaning meaning);

/* Whether the text is a part of a line. A whole line of containerd's is read as any other behind a
 * prefix; an empty one says nothing. */
bool check_log_is_part(const struct check_log_reading *reading, const char *text,
                       struct check_log_cut *ret);

/* From a front in `text` to its end. */
enum check_log_meaning check_log_read_front(const struct check_log_reading *reading,
                                            const char *text, const char *at);

/* The string behind a quote that is no valid one, or whose end is missing. */
enum check_log_meaning check_log_read_quoted(const struct check_log_reading *reading,
                                             const char *at);

/* A line of ours as JSON, which carries the words of the text line in "msg". */
bool check_log_is_own_object(const cJSON *object);
enum check_log_meaning check_log_read_own_object(const struct check_log_reading *reading,
                                                 const cJSON *object);

#endif
