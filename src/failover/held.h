/* The streams that are held: each on a connection of its own, as agents have, and opened again with
 * it whenever it ends. */
#ifndef GRPCROUTE_FAILOVER_HELD_H
#define GRPCROUTE_FAILOVER_HELD_H

#include "failover/result.h"
#include "net/loop.h"
#include "role/connect.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct failover_held_events {
    /* A stream was answered for the first time, and not all were. */
    void (*on_first_answer)(void *user);
    /* Each stream was answered for the first time. */
    void (*on_all_answered)(void *user);
    /* A stream ended before its first answer: there is nothing to test. */
    void (*on_unopened)(void *user, const char *cause);
    /* Streams are being ended, and the last connection is gone. */
    void (*on_gone)(void *user);
};

enum failover_held_stage {
    FAILOVER_HELD_OPENING,   /* not each was answered yet */
    FAILOVER_HELD_KEPT,      /* opened again when they end */
    FAILOVER_HELD_FINISHING, /* half-closed */
    FAILOVER_HELD_CLOSING,   /* dropped */
};

struct failover_held_stream;

struct failover_held {
    struct net_loop *loop;            /* borrowed */
    struct failover_result *result;   /* borrowed */
    const struct role_target *target; /* borrowed */
    const struct failover_held_events *events;
    void *user;
    struct failover_held_stream *streams; /* owned */
    uv_timer_t pinger;
    size_t clients; /* connections that are there */
    size_t opened;  /* streams that were ever answered */
    enum failover_held_stage stage;
};

/* Opens as many streams as the result has, whose ids and versions are set, and pings on them as
 * often as it says. When the fault began and ended is taken from its history. */
void failover_held_start(struct failover_held *held, struct net_loop *loop,
                         struct failover_result *result, const struct role_target *target,
                         const struct failover_held_events *events, void *user);

/* How many were answered; where the fault is over, since then, and are not silent again. */
size_t failover_held_answered(const struct failover_held *held);

/* The end of the watch: what is silent now counts as that, and who is back is back. */
void failover_held_judge(struct failover_held *held);

/* Half-closes what is open, and judges how servers end it. on_gone follows, perhaps at once. */
void failover_held_finish(struct failover_held *held);
/* Drops all; on_gone follows where there was a connection. */
void failover_held_close(struct failover_held *held);

/* Before the loop ends; no connection is there any more. */
void failover_held_stop(struct failover_held *held);
/* Behind the end of the loop. */
void failover_held_deinit(struct failover_held *held);

#endif
