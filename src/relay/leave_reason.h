/* Why a stream is ended on purpose, and what is noted before; who does it is relay/leave.h. */
#ifndef GRPCROUTE_RELAY_LEAVE_REASON_H
#define GRPCROUTE_RELAY_LEAVE_REASON_H

#include <stdbool.h>
#include <stdint.h>

enum leave_reason { LEAVE_NOT, LEAVE_OLD, LEAVE_MOVED, LEAVE_REMOVED, LEAVE_UNHEALTHY };

/* Whether it is the stream's endpoint that is left. Such a stream may be any; those that are too
 * old are the first ones. */
static inline bool leave_counts(enum leave_reason reason)
{
    return reason > LEAVE_OLD;
}

/* A message that the looks have seen half sent, in one direction. */
struct leave_half {
    uint64_t number;   /* which one of the stream's it is, from 1 on; 0: none */
    uint64_t since_ms; /* it was first seen so */
};

#endif
