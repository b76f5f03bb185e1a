/* Pods that are there and do not answer: their streams stay open and silent. A pod that is gone
 * ends its streams; one that is stopped, stalled or cut off does not, nor does a proxy that has not
 * noticed the end. Pure. */
#ifndef GRPCROUTE_FAILOVER_HOLE_H
#define GRPCROUTE_FAILOVER_HOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct failover_result;

enum failover_hole_end {
    FAILOVER_HOLE_NONE,
    FAILOVER_HOLE_OPEN,     /* it lasts */
    FAILOVER_HOLE_ANSWERED, /* on the same call */
    FAILOVER_HOLE_ENDED,    /* the call ended */
    FAILOVER_HOLE_ENDS,
};

/* The longest silence of an open call that reached behind the begin of the fault. */
struct failover_silence {
    uint64_t from_ns; /* the last answer, or the opening */
    uint64_t took_ns;
    const char *pod;     /* that answered last on the call, "": none; borrowed from the history */
    const char *version; /* of its server */
    enum failover_hole_end end;
    bool is_cause; /* the end of the call is the stream's cause */
};

/* The silences of a pod's streams that are too long to be a pause. */
struct failover_hole {
    const char *pod; /* "": of calls that nobody answered */
    const char *version;
    size_t streams;
    size_t ends[FAILOVER_HOLE_ENDS];
    uint64_t from_ns; /* the first */
    uint64_t longest_ns;
};

struct failover_holes {
    struct failover_hole *all; /* owned */
    size_t count;
};

void failover_holes_find(const struct failover_result *result, struct failover_holes *ret);
void failover_holes_deinit(struct failover_holes *holes);

/* Whether every stream fell silent in the same way, whatever its pod: then it is the target, or the
 * way to it. */
bool failover_is_all_silent(const struct failover_result *result);

#endif
