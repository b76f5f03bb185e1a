/* The roll call: new streams of every version that find the pods which no held stream is on, and
 * those that get no new ones. */
#ifndef GRPCROUTE_FAILOVER_ROLL_CALL_H
#define GRPCROUTE_FAILOVER_ROLL_CALL_H

#include "failover/result.h"
#include "net/loop.h"
#include "role/connect.h"

#include <stdbool.h>
#include <stddef.h>

struct failover_caller;

struct failover_roll_caller {
    struct net_loop *loop;
    struct failover_result *result;
    const struct role_target *target;
    void (*on_end)(void *user);
    void *user;
    struct failover_caller *callers; /* owned */
    size_t next;                     /* to be opened */
    size_t open;
    size_t over; /* answered, or ended without */
    uv_timer_t deadline;
    bool started;
    bool ending;
};

#define FAILOVER_CALLS_PER_POD 4
#define FAILOVER_CALLS_MIN     16
#define FAILOVER_CALLS_MAX     256

/* Opens streams of each version, FAILOVER_CALLS_PER_POD for each pod that is known within these
 * bounds, a few at a time and each on a connection of its own; on_end follows when all were
 * answered or have ended, or no answer has come for a while. */
void failover_roll_call_start(struct failover_roll_caller *caller, struct net_loop *loop,
                              struct failover_result *result, const struct role_target *target,
                              void (*on_end)(void *user), void *user);

/* Drops what is open; on_end follows where something was, unless it has been called. */
void failover_roll_call_close(struct failover_roll_caller *caller);
/* Whether connections are there. */
bool failover_roll_call_runs(const struct failover_roll_caller *caller);
/* Before the loop ends, also of a zeroed one. */
void failover_roll_call_stop(struct failover_roll_caller *caller);
void failover_roll_call_deinit(struct failover_roll_caller *caller);

#endif
