/* The insides of a pool; for the upstream files alone. */
#ifndef GRPCROUTE_RELAY_UPSTREAM_INTERNAL_H
#define GRPCROUTE_RELAY_UPSTREAM_INTERNAL_H

#include "relay/state.h"
#include "relay/upstream.h"

struct net_dial;
struct rpc_conn;

/*   DIALING --connected--> OPENING --SETTINGS--> OPEN --GOAWAY, idle, removed--> ENDING --> gone
 *   any but DIALING --lost--> gone */
enum conn_state {
    CONN_DIALING,
    CONN_OPENING, /* connected; its SETTINGS are awaited */
    CONN_OPEN,
    CONN_ENDING, /* takes no more streams */
};

struct upstream_conn {
    struct list node; /* upstream->conns */
    struct upstream *upstream;
    struct net_dial *dial; /* while DIALING */
    struct rpc_conn *conn; /* from OPENING on */
    enum conn_state state;
    unsigned lane;
    struct list requests; /* upstream_request.node: the open ones */
    uint64_t idle_since_ms;    /* 0: it has streams */
    uint64_t clogged_since_ms; /* 0: it is not */

    /* What the endpoint may count, see upstream_reset.c. */
    uint64_t reset_milli_tokens;
    uint64_t reset_filled_ms;
    size_t ended_streams;
    size_t young_resets;
    int32_t read_id; /* requests up to this id were read UPSTREAM_OLD_MS ago or before */
    int32_t mark_id; /* ... and up to this one at mark_ms */
    uint64_t mark_ms;
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
    uint32_t streams_per_conn; /* what the endpoint allowed last */
    uint64_t keepalive_ms;
    bool suspect; /* the connections were probed since the endpoint became unhealthy */
};

/* Opens the ration of a new connection; keeps it on a tick; sends the resets that may go by now. */
void upstream_ration_init(struct upstream_conn *conn, uint64_t now_ms);
void upstream_ration_tick(struct upstream_conn *conn, uint64_t now_ms);
void upstream_send_due_resets(struct upstream *upstream);

/* Ends the streams of who holds the connection's credit while others wait for it. */
void upstream_unclog(struct upstream_conn *conn, uint64_t now_ms);

#endif
