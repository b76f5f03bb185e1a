/* A call of PingPong, or of the service that --method names: who asks, pings out, answers in. When
 * to ping, and what an answer is worth, is for its owner to know.
 *
 * A service of --method looks like PingPong from here: its message for a ping, and for each of its
 * answers a pong with what --server-from and --pod-from find; all else in it is empty. */
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

/* Fields of metadata of a call at most: who asks, and -H. */
#define ROLE_IDENTITY_FIELDS (3 + ROLE_HEADERS_MAX)

/* Fills `out` with what the calls of `target` say of who asks, and with -H; borrowed from both.
 * Returns how many fields. */
size_t role_identity_fill(const struct role_target *target, const struct role_identity *identity,
                          struct h2_header out[static ROLE_IDENTITY_FIELDS]);

/* Who answered a call of --method, once it is over. Texts of `who` that no trailer names are
 * empty. The others say why an answer has no name, and what it has instead: "no header x-up, but
 * server, date"; printable ASCII, empty where every answer has one. */
struct role_naming {
    struct rpc_ping_response who;
    const char *server_missing;
    const char *pod_missing;
};

/* Whether an answer of the service, NULL for PingPong, does not say who gave it: which server, or,
 * where only --pod-from was given, which pod. */
bool role_is_unnamed(const struct role_service *service, const struct rpc_ping_response *pong);
/* Why, for a call with such an answer. */
const char *role_naming_missing(const struct role_service *service,
                                const struct role_naming *naming);

struct role_pinger_events {
    /* Borrowed until it returns. */
    void (*on_pong)(void *user, const struct rpc_ping_response *pong);
    /* An answer came that is none; the call is cancelled next. May be NULL. */
    void (*on_garbled)(void *user);
    /* Exactly once, last; the pinger may be opened again. */
    void (*on_closed)(void *user, const struct rpc_status *status);
    /* A call of --method: once, before on_closed. Borrowed until it returns. May be NULL. */
    void (*on_named)(void *user, const struct role_naming *naming);
};

struct role_heard;

struct role_pinger {
    const struct role_target *target;
    const struct role_pinger_events *events;
    void *user;
    struct rpc_call *call;    /* NULL: not open */
    struct role_heard *heard; /* owned; of an open call of --method */
};

/* `target` says how calls tell who asks, and which service they are of; it and `events` are
 * borrowed. */
void role_pinger_init(struct role_pinger *pinger, const struct role_target *target,
                      const struct role_pinger_events *events, void *user);

/* Starts the call on a ready client. Returns what rpc_call_start() does. */
int role_pinger_open(struct role_pinger *pinger, struct rpc_client *client,
                     const struct role_identity *identity);

static inline bool role_pinger_is_open(const struct role_pinger *pinger)
{
    return pinger->call != NULL;
}

/* These want an open pinger. Sends a ping, which half-closes a call that takes one message; returns
 * what rpc_call_send() does. */
int role_pinger_send(struct role_pinger *pinger, const struct rpc_ping_request *ping);
/* Repeats are harmless, also of the next. */
void role_pinger_half_close(struct role_pinger *pinger);
/* on_closed follows. */
void role_pinger_cancel(struct role_pinger *pinger);

#endif
