/* The insides of a pool; for the upstream files alone: upstream.c over upstream_clog.c and
 * upstream_conn.c over upstream_holders.c, upstream_queue.c and upstream_reset.c. */
#ifndef GRPCROUTE_RELAY_UPSTREAM_IMPL_H
#define GRPCROUTE_RELAY_UPSTREAM_IMPL_H

#include "base/mem.h"
#include "relay/state.h"
#include "relay/upstream.h"

struct net_dial;
struct rpc_conn;

/*   DIALLING --connected--> OPENING --SETTINGS--> OPEN --GOAWAY, idle, removed--> ENDING
 *                              |_______GOAWAY, removed, drain________________________^
 *   each of these --failed, lost, closed--> gone, that is freed */
enum upstream_conn_state {
    UPSTREAM_CONN_DIALLING,
    UPSTREAM_CONN_OPENING, /* connected; its SETTINGS are awaited */
    UPSTREAM_CONN_OPEN,
    UPSTREAM_CONN_ENDING, /* takes no more streams */
};

/* A token bucket. */
struct reset_bucket {
    uint64_t milli_tokens;
    uint64_t filled_ms;
};

/* How many messages the endpoint may drop at a time. */
struct reset_drops {
    int64_t allowed;
    int64_t left;     /* of them; below zero when a stream had more */
    uint64_t last_ms; /* 0: nothing was dropped lately */
};

struct upstream_conn {
    struct list node; /* upstream->conns */
    struct upstream *upstream;
    struct net_dial *dial; /* while DIALLING */
    struct rpc_conn *conn; /* from OPENING on */
    enum upstream_conn_state state;
    unsigned lane;
    struct list requests; /* upstream_request.node: the open ones */
    size_t request_count;
    size_t resetting_count;      /* of them, those whose reset waits */
    bool refuses;                /* a stream, since the last tick */
    bool broken;                 /* by the endpoint, as was told */
    uint64_t idle_since_ms;      /* 0: it has streams */
    uint64_t clogged_since_ms;   /* since when somebody is in the way of others; 0: nobody is */
    uint64_t clog_shut_since_ms; /* ... of all others; 0: those that hold little may send */
    uint64_t clog_credited;      /* h2_session_credited_bytes() at the first, or later */
    uint64_t clog_ended_ms;      /* when one lost its streams for it; 0: never */
    bool clog_heard;             /* the endpoint is known to live since then */
    uint64_t starved_since_ms;   /* its window is shut, and no credit came; 0: not so */
    uint64_t starved_credited;   /* h2_session_credited_bytes() then */

    /* What the endpoint may count, see upstream_reset.c. */
    struct reset_bucket all;   /* resets of any age */
    struct reset_bucket young; /* ... and of young streams */
    struct reset_drops drops;
    size_t ended_streams;
    size_t young_resets;
    int32_t read_ids[UPSTREAM_OLD_TICKS]; /* how far the endpoint had read, at the last ticks */
    unsigned tick;                        /* the oldest of them */
};

struct upstream {
    struct list node; /* worker->upstreams */
    struct worker *worker;
    struct endpoint *endpoint; /* owned reference */
    struct list conns;
    size_t conn_count;
    struct list waiting[RELAY_LANES]; /* upstream_request.node */
    size_t waiting_count[RELAY_LANES];
    struct list resetting; /* upstream_request.reset_node, oldest first */
    size_t resetting_count;
    size_t resetting_young; /* ... of streams that were young at the last tick, or later */
    void (*on_room)(struct upstream *upstream, unsigned lane); /* serve those that wait */
    uint32_t streams_per_conn;                                 /* what the endpoint allowed last */
    uint64_t keepalive_ms;
    bool grew;    /* since the last tick, while connections refuse streams */
    bool suspect; /* the connections were probed since the endpoint became unhealthy */
};

/* Who holds the most of a connection's credit while others wait. */
struct upstream_clog {
    struct client *holders[UPSTREAM_CLOG_CROWD]; /* borrowed */
    unsigned count;                              /* of them; 0: nobody is in the way */
    bool dropped;                                /* not they, but streams whose resets wait */
};

/* The request that a list's node is in. */
static inline struct upstream_request *upstream_request_at(struct list *node)
{
    return container_of(node, struct upstream_request, node);
}

static inline bool upstream_is_removed(const struct upstream *upstream)
{
    return atomic_load(&upstream->endpoint->removed);
}

/* ---- upstream_queue.c ---- */

void upstream_enqueue(struct upstream *upstream, struct upstream_request *request);
void upstream_dequeue(struct upstream_request *request);
/* NULL: nobody waits. */
struct upstream_request *upstream_first_waiting(struct upstream *upstream, unsigned lane);
/* The first one that may be served now, NULL: none. */
struct upstream_request *upstream_next_waiting(struct upstream *upstream, unsigned lane);
/* Fails those that wait now; who asks again meanwhile waits anew. */
void upstream_fail_lane(struct upstream *upstream, unsigned lane, const struct net_error *why);

/* ---- upstream_conn.c ---- */

void upstream_dial(struct upstream *upstream, unsigned lane);
/* It takes no more streams and ends with its last one. Harmless where it does already. */
void upstream_end_conn(struct upstream_conn *conn);
/* Of one that is DIALLING, whose dial was cancelled. */
void upstream_conn_free(struct upstream_conn *conn);

size_t upstream_count_conns(const struct upstream *upstream, unsigned lane,
                            enum upstream_conn_state state);
/* Those that are being made. */
size_t upstream_count_opening(const struct upstream *upstream, unsigned lane);
/* The first connection that takes a stream now; NULL: none. */
struct upstream_conn *upstream_conn_with_room(const struct upstream *upstream, unsigned lane);
/* The endpoint asked for a pause: more connections would not change its mind (RFC 9113 section
 * 5.1.2). */
bool upstream_is_paused(const struct upstream *upstream, unsigned lane);
/* A connection refused a stream since the last tick; another one may do better, but not many. */
bool upstream_refuses(const struct upstream *upstream, unsigned lane);

/* A request that waits becomes one of the connection's; an open one becomes nobody's. */
void upstream_link(struct upstream_conn *conn, struct upstream_request *request);
void upstream_unlink(struct upstream_request *request);

/* ---- upstream_reset.c, upstream_clog.c, upstream_holders.c ---- */

/* Opens the ration of a new connection; keeps it on a tick; sends the resets that may go by now. */
void upstream_ration_init(struct upstream_conn *conn, uint64_t now_ms);
void upstream_ration_tick(struct upstream_conn *conn);
void upstream_send_due_resets(struct upstream *upstream);
/* Sends the reset that waits. */
void upstream_reset_now(struct upstream_request *request);
/* Its reset no longer waits; harmless when none did. */
void upstream_forget_reset(struct upstream_request *request);

/* Ends the streams that hold the connection's credit while others wait for it, see there. */
void upstream_unclog(struct upstream_conn *conn, uint64_t now_ms);
/* Who is in the way now. */
struct upstream_clog upstream_find_clog(struct upstream_conn *conn);
/* Nothing can be sent on it, and that for a while: a new stream is better off elsewhere. */
bool upstream_conn_starves(const struct upstream_conn *conn, uint64_t now_ms);

#endif
