/* A PingPong call: who asks, pings out, pongs in. When to ping, and what an answer is worth, is for
 * its owner to know. */
#ifndef GRPCROUTE_ROLE_PINGER_H
#define GRPCROUTE_ROLE_PINGER_H

#include "role/connect.h"
#include "rpc/call.h"
#include "rpc/ping.h"

#include <stdbool.h>
#include <stddef.h>

/* Who asks, in the metadata of a call; borrowed while it is opened. */
struct role_identity {
    const char *version; /* NULL: none is sent */
    const char
        *second_version; /* non-NULL: the same header again, which no proxy may guess about */
    const char *id;
};

struct role_pinger_events {
    /* Borrowed until it returns. */
    void (*on_pong)(void *user, const struct rpc_ping_response *pong);
    /* An answer came that is none; the call is cancelled next. May be NULL. */
    void (*on_garbled)(void *user);
    /* Exactly once, last; the pinger may be opened again. */
    void (*on_closed)(void *user, const struct rpc_status *status);
};

struct role_pinger {
    const struct role_target *target;
    const struct role_pinger_events *events;
    void *user;
    struct rpc_call *call; /* NULL: not open */
};

/* `target` says how calls tell who asks; it and `events` are borrowed. */
void role_pinger_init(struct role_pinger *pinger, const struct role_target *target,
                      const struct role_pinger_events *events, void *user);

/* Starts the call on a ready client. Returns what rpc_call_start() does. */
int role_pinger_open(struct role_pinger *pinger, struct rpc_client *client,
                     const struct role_identity *identity);

static inline bool role_pinger_is_open(const struct role_pinger *pinger)
{
    return pinger->call != NULL;
}

/* These want an open pinger. Sends a ping; returns what rpc_call_send() does. */
int role_pinger_send(struct role_pinger *pinger, const struct rpc_ping_request *ping);
void role_pinger_half_close(struct role_pinger *pinger);
/* on_closed follows. Repeats are harmless. */
void role_pinger_cancel(struct role_pinger *pinger);

#endif
