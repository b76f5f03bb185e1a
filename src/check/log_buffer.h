/* One line of a log while its bytes come in: it grows as needed up to a limit. Beyond that only its
 * front is kept, but all of it is searched for the words of agents and servers. */
#ifndef GRPCROUTE_CHECK_LOG_BUFFER_H
#define GRPCROUTE_CHECK_LOG_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed at first. */
struct check_log_buffer {
    char *bytes; /* owned; has room for a NUL */
    size_t len;
    size_t capacity;
    bool too_long;    /* `bytes` is the front of the line and its latest part */
    bool mentions_us; /* of a line that is too long: what is no longer in `bytes` does */
};

/* Appends; with more than `max_bytes` the line is too long. */
void check_log_buffer_put(struct check_log_buffer *buffer, const char *bytes, size_t len,
                          size_t max_bytes);

/* Makes the line readable (base/text_line.h) and returns it, ended by NUL; "" when it is empty.
 * Valid until the next call. */
char *check_log_buffer_end(struct check_log_buffer *buffer);

/* Empties it for the next line, and gives much storage back. */
void check_log_buffer_clear(struct check_log_buffer *buffer);

/* Frees the storage; it is zeroed again. */
void check_log_buffer_deinit(struct check_log_buffer *buffer);

#endif
