/* A place in a bounded text, and what may be taken there: each moves the cursor behind what it
 * found. Where a function returns false the cursor may stand anywhere. Pure. */
#ifndef GRPCROUTE_CHECK_CURSOR_H
#define GRPCROUTE_CHECK_CURSOR_H

#include <stdbool.h>
#include <stddef.h>

struct cursor {
    const char *at; /* this and the next: borrowed */
    const char *end;
};

bool cursor_byte(struct cursor *cursor, char byte);

/* As many bytes out of `set` as there are, with `names` letters and digits, too. Returns how many;
 * so do the next three. */
size_t cursor_any(struct cursor *cursor, const char *set, bool names);
size_t cursor_digits(struct cursor *cursor);
size_t cursor_blanks(struct cursor *cursor);
/* Of Kubernetes, of a host or of a program. */
size_t cursor_name(struct cursor *cursor);

/* A digit for each 0 of the shape, and its other bytes as they are. */
bool cursor_shape(struct cursor *cursor, const char *shape);
/* The first of the shapes that fits. */
bool cursor_one_of(struct cursor *cursor, const char *const *shapes, size_t count);

/* A date, a clock or both, seconds since 1970, or in brackets since the machine was started. */
bool cursor_time(struct cursor *cursor);

#endif
