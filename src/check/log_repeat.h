/* Collectors repeat a line under several names of one object. What a member tells that an earlier
 * one has told, in the same order, is told once. Pure. */
#ifndef GRPCROUTE_CHECK_LOG_REPEAT_H
#define GRPCROUTE_CHECK_LOG_REPEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct check_log_event;

/* One object; zeroed at first but for `outer`. */
struct check_log_repeat {
    struct check_log_repeat *outer; /* the object that this one is in; borrowed, or NULL */
    uint64_t *told;                 /* owned: hashes of what the members told so far */
    size_t count;
    size_t capacity;
    size_t before; /* of them: told by earlier members than the one that is read */
    size_t at;     /* how many of those it repeated */
    bool differs;  /* it told something else: no repetition from here on */
};

/* The next member begins. */
void check_log_repeat_next(struct check_log_repeat *repeat);

/* Whether this object or one around it has told `event`; if not, it has now. */
bool check_log_is_repeated(struct check_log_repeat *repeat, const struct check_log_event *event);

void check_log_repeat_deinit(struct check_log_repeat *repeat);

#endif
