/* Asks what the server saw of a stream: on a fresh connection, since the stream's own may be what
 * is broken, and again where a balancer led to a server that knows nothing of it, or the stream has
 * not ended there yet. */
#ifndef GRPCROUTE_LIMITS_ASK_H
#define GRPCROUTE_LIMITS_ASK_H

#include "limits/link.h"
#include "limits/told.h"
#include "rpc/call.h"

/* How often is asked at most, and for how long an end at the server is waited for: a hop that was
 * cut together with the other tells its own end well within that. */
#define LIMITS_ASK_TIMES      40
#define LIMITS_ASK_SETTLES_MS 2500
#define LIMITS_ASK_MS         10000

struct limits_ask {
    struct limits_ground *ground;
    void (*on_told)(void *user, const struct limits_told *told);
    void *user;
    /* What the server said in full, each time the stream was found; may be set once it was started.
     * NULL: nobody wants that. */
    void (*on_seen)(void *user, const struct rpc_probe_seen *seen);
    unsigned times;     /* how often is asked at most where it is not found; may be set likewise */
    uint64_t settle_ms; /* how long its end is waited for, the same */
    const char *id;     /* borrowed */
    bool wait;          /* for its end */
    struct limits_link *link;
    struct rpc_call *call;
    uv_timer_t timer; /* until the next question; its end is the asker's */
    unsigned asked;
    uint64_t began_ns;
    bool settled;
    bool running;
    struct limits_told told;
};

/* Asks after the stream of that probe-id, which is borrowed. `wait`: until it has ended there, or
 * LIMITS_ASK_SETTLES_MS have passed. on_told comes once, never from within; the memory stays the
 * caller's, and must stay until then. */
void limits_ask_start(struct limits_ask *ask, struct limits_ground *ground, const char *id,
                      bool wait, void (*on_told)(void *user, const struct limits_told *told),
                      void *user);
/* Asks no more; on_told follows with what is known. Repeats, and one that does not run, are
 * harmless. */
void limits_ask_stop(struct limits_ask *ask);

#endif
