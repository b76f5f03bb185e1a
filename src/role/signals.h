/* The signals that a command listens to, on its loop. */
#ifndef GRPCROUTE_ROLE_SIGNALS_H
#define GRPCROUTE_ROLE_SIGNALS_H

#include "net/loop.h"

#include <stdbool.h>

struct role_signals {
    uv_signal_t handles[3];
    void (*on_end)(void *user, int number, bool again);
    void (*on_hangup)(void *user);
    void *user;
    bool open;
    bool end_seen;
};

/* From now on SIGINT and SIGTERM call `on_end`, `again` from the second one on, and SIGHUP calls
 * `on_hangup`; where that is NULL, SIGHUP is an end like the others, unless it was ignored (nohup)
 * and stays so. Keeps the loop running until role_signals_close(). */
void role_signals_start(struct role_signals *signals, struct net_loop *loop,
                        void (*on_end)(void *user, int number, bool again),
                        void (*on_hangup)(void *user), void *user);

/* No signal is heard any more; those that come have their default effect. Repeats are harmless, and
 * so is a zeroed struct. The memory must stay until the loop has run or been deinitialised. */
void role_signals_close(struct role_signals *signals);

/* The loop may run out, though signals are still heard until then. */
void role_signals_unref(struct role_signals *signals);

/* As role_signals_close(), but those that come do nothing: for the last steps of a command that
 * ends as it was asked to, with 0, however often it is asked. Nothing in them may wait for anybody,
 * and this must be the only thread that signals can come to. */
void role_signals_end(struct role_signals *signals);

/* The exit code of a command that ended early because of signal `number`: 129 for SIGHUP, 130 for
 * SIGINT, 143 for SIGTERM. */
int role_signals_exit_code(int number);

#endif
