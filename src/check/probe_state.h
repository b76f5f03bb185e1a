/* The insides of a prober. Seen by probe.c, probe_conn.c and probe_stream.c alone; calls go from
 * left to right only. */
#ifndef GRPCROUTE_CHECK_PROBE_STATE_H
#define GRPCROUTE_CHECK_PROBE_STATE_H

#include "base/list.h"
#include "check/observe.h"
#include "cli/progress.h"
#include "net/loop.h"
#include "role/connect.h"
#include "role/pinger.h"

struct probe;

struct probe_conn {
    struct list node; /* in probe.conns */
    struct probe *probe;
    struct rpc_client *client;
    size_t *streams; /* owned; indices */
    size_t stream_count;
    size_t started; /* the first `started` of them had their chance */
    size_t live;    /* of them, those whose call is open */
    bool ready;
};

struct probe_stream {
    struct probe *probe;
    struct probe_conn *conn; /* borrowed while the pinger is open, and between unary calls */
    struct role_pinger pinger;
    uint64_t opened_ns;
    uint64_t last_message_ns; /* in either direction */
    uint64_t half_closed_ms;  /* since when only its end is waited for; 0: not yet */
    size_t call_first;        /* of the answers, the call's first */
    bool settled;             /* its `end` is final */
};

struct probe {
    struct net_loop *loop;
    void (*on_done)(void *user);
    void *user;
    unsigned handles; /* open ones */
    uint64_t started_ns;
    uv_timer_t pinger;
    uv_timer_t deadline;
    struct net_tick tick;
    struct cli_progress progress;
    struct list conns;
    struct check_run *run;
    const struct role_target *target;
    struct probe_stream *streams; /* owned */
    size_t *order;                /* owned; the plan's streams by connection */
    size_t next;                  /* of `order`: the first whose connection was not begun */
    size_t connecting;
    uint64_t last_stamp_ns;
    void (*on_last_closed)(struct probe *probe); /* no connection is left, and none is to come */
    bool stopping; /* time limit or signal: what ends from here on says nothing about the peer */
};

/* ---- probe_stream.c ---- */

/* Begins a stream on its connection, with its first ping. Returns what role_pinger_open() does. */
int probe_stream_open(struct probe_stream *stream, struct probe_conn *conn);
void probe_stream_init(struct probe_stream *stream, struct probe *probe);
/* The interval is over: the next message, or the next of several unary calls. */
void probe_stream_next(struct probe_stream *stream);
/* Ends what its peer does not, or for whose end it waits itself. */
void probe_stream_tick(struct probe_stream *stream, uint64_t now_ms);
/* There is no connection for it. */
void probe_stream_fail(struct probe_stream *stream, const struct net_error *why);
/* The first end is final. */
void probe_stream_settle(struct probe_stream *stream, enum check_end end);

/* ---- probe_conn.c ---- */

/* Opens the plan's connections in their order, as many at a time as may be on their way. */
void probe_open_planned(struct probe *probe);
/* A server that was reached, and has nothing for us, is told as the run's error. */
void probe_explain_waits(struct probe *probe);
void probe_close_conns(struct probe *probe);

#endif
