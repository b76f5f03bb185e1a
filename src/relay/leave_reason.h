/* Why a stream is ended on purpose; who does it is relay/leave.h. */
#ifndef GRPCROUTE_RELAY_LEAVE_REASON_H
#define GRPCROUTE_RELAY_LEAVE_REASON_H

#include <stdbool.h>

enum leave_reason { LEAVE_NOT, LEAVE_OLD, LEAVE_MOVED, LEAVE_REMOVED, LEAVE_UNHEALTHY };

/* Whether it is the stream's endpoint that is left. Such a stream may be any; those that are too
 * old are the first ones. */
static inline bool leave_counts(enum leave_reason reason)
{
    return reason > LEAVE_OLD;
}

#endif
