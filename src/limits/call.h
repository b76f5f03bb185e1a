/* One stream of a shape on a link: Run of the probe service with a script, or PingPong (--method)
 * where the server has none. Says who asks as all calls of the command do. */
#ifndef GRPCROUTE_LIMITS_CALL_H
#define GRPCROUTE_LIMITS_CALL_H

#include "limits/link.h"
#include "role/pinger.h"
#include "rpc/call.h"
#include "rpc/probe.h"

struct limits_call_events {
    /* A message came. May be NULL. */
    void (*on_answer)(void *user);
    /* The response's metadata came; not of PingPong. May be NULL. */
    void (*on_headers)(void *user, const struct h2_block *block);
    /* Exactly once, last; it may be opened again. */
    void (*on_closed)(void *user, const struct rpc_status *status);
};

struct limits_call {
    struct limits_ground *ground; /* borrowed */
    const struct limits_call_events *events;
    void *user;
    char id[RPC_PROBE_ID_BYTES]; /* probe-id of this opening; "" for PingPong */
    struct rpc_call *call;       /* of Run; NULL: not open */
    struct role_pinger pinger;   /* else */
    uint64_t sent;               /* messages, since it was opened */
    uint64_t answered;
    bool busy;                         /* by its trailers */
    char server_id[LIMITS_TEXT_BYTES]; /* who answered first, escaped; "" not known */
};

void limits_call_init(struct limits_call *call, struct limits_ground *ground,
                      const struct limits_call_events *events, void *user);

/* Starts Run with the script, or PingPong where it is NULL, on a link that is ready. Returns what
 * rpc_call_start() does. */
int limits_call_open(struct limits_call *call, const struct limits_link *link,
                     const struct rpc_probe_script *script);
bool limits_call_is_open(const struct limits_call *call);

/* These want an open call. Returns what rpc_call_send() does. */
int limits_call_send(struct limits_call *call);
void limits_call_half_close(struct limits_call *call);
/* Of Run: rpc_call_hold(). */
void limits_call_hold(struct limits_call *call, bool hold);

/* The metadata of any call of the run, with room for LIMITS_CALL_FIELDS: who asks, -H. `id_text`
 * holds the agent's id while they are used. Returns how many. */
#define LIMITS_CALL_FIELDS (ROLE_IDENTITY_FIELDS + 2)
#define LIMITS_AGENT_BYTES 32
size_t limits_call_fields(struct limits_ground *ground, struct h2_header *out,
                          char id_text[static LIMITS_AGENT_BYTES]);
/* A probe-id by chance. */
void limits_call_make_id(char out[static RPC_PROBE_ID_BYTES]);

/* Whether trailers say that it is the probe service which was busy (RPC_PROBE_BUSY_HEADER). */
bool limits_call_is_busy(const struct h2_block *trailers);
/* The status as such a service sent it, whose message a hop may have dropped. */
struct rpc_status limits_call_restored(const struct rpc_status *status, bool busy);

/* How an end looked to the client, into `end`, `code` and `saw` of the sample. `goaway`: that of
 * its link, or NULL. */
void limits_call_note_end(const struct rpc_status *status, const char *goaway,
                          struct limits_sample *sample);

#endif
