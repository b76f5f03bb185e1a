#include "failover/fault.h"

#include "base/clock.h"

#include <signal.h>

static void on_exit_of_child(void *user, int code)
{
    struct failover_fault *fault = user;
    struct failover_result *result = fault->result;
    result->history.over_ns = clock_now_ns();
    result->fault_ns = result->history.over_ns - result->history.fault_ns;
    result->fault_exit = code;
    result->fault_ended = !fault->ending;
    if (fault->ending) {
        role_child_signal_all(&fault->child, SIGKILL); /* what the command began and left */
    }
    fault->on_end(fault->user);
}

static const struct role_child_events child_events = {.on_exit = on_exit_of_child};

int failover_fault_start(struct failover_fault *fault, uv_loop_t *loop,
                         struct failover_result *result, void (*on_end)(void *user), void *user)
{
    const char *const arguments[] = {"-c", result->command, NULL};
    const struct role_child_command command = {
        .program = "/bin/sh", .arguments = arguments, .out = 2, .err = 2};
    *fault = (struct failover_fault){.result = result, .on_end = on_end, .user = user};
    result->history.fault_ns = clock_now_ns();
    return role_child_start(&fault->child, loop, &command, &child_events, fault);
}

bool failover_fault_runs(const struct failover_fault *fault)
{
    return role_child_runs(&fault->child);
}

void failover_fault_end(struct failover_fault *fault, int number)
{
    if (role_child_runs(&fault->child)) {
        fault->ending = true;
        role_child_signal_all(&fault->child, number);
    }
}
