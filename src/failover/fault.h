/* The command that breaks something. */
#ifndef GRPCROUTE_FAILOVER_FAULT_H
#define GRPCROUTE_FAILOVER_FAULT_H

#include "failover/result.h"
#include "role/child.h"

struct failover_fault {
    struct failover_result *result; /* borrowed */
    void (*on_end)(void *user);
    void *user;
    struct role_child child;
    bool ending; /* it was told to end */
};

/* Runs the result's command and notes when it began and ended, and how. What it prints is for the
 * person: it goes to standard error. Returns 0, and on_end follows; or a negative errno. */
int failover_fault_start(struct failover_fault *fault, uv_loop_t *loop,
                         struct failover_result *result, void (*on_end)(void *user), void *user);

bool failover_fault_runs(const struct failover_fault *fault);

/* Ends it with this signal, with all that it began, where it runs; SIGKILL takes also what it left
 * behind. */
void failover_fault_end(struct failover_fault *fault, int number);

#endif
