/* The insides of a connection; for the connection files alone: conn.c over conn_time.c over
 * conn_end.c. */
#ifndef GRPCROUTE_RPC_CONN_IMPL_H
#define GRPCROUTE_RPC_CONN_IMPL_H

#include "rpc/conn.h"
#include "rpc/keepalive.h"

/*   opening --SETTINGS--> open --drain--> announced --PING's ACK, late--> final --no stream-->
 *      |_____________drain__________________^                              ^          closing
 *      |_________drain of a client, from opening and open__________________|
 *   each of these --close, limit, protocol error--> closing
 *   each of these, closing --session through, write failed, peer dead--> lingering --> gone
 *   each of these, closing --transport lost--> gone */
enum rpc_conn_state {
    RPC_CONN_OPENING, /* until the peer's SETTINGS; h2/limits.h has the time for it */
    RPC_CONN_OPEN,
    RPC_CONN_ANNOUNCED, /* GOAWAY with the highest id is out; requests may still be on their way */
    RPC_CONN_FINAL,     /* GOAWAY with the real last id is out; closes with the last stream */
    RPC_CONN_CLOSING,   /* the session is terminated; what waits and its GOAWAY are being sent */
    RPC_CONN_LINGERING, /* the transport was told to close: nothing is read or sent any more */
    RPC_CONN_GONE,      /* the transport is closed */
};

struct rpc_conn {
    enum rpc_conn_state state;
    enum h2_role role;
    bool heard;                           /* the peer has sent something */
    bool opening_waits;                   /* our SETTINGS do: see rpc_conn_open() */
    struct net_stream *stream;            /* owned until on_closed */
    struct h2_session *session;           /* owned */
    struct net_loop *loop;                /* borrowed */
    const struct rpc_conn_events *events; /* borrowed */
    void *user;
    struct net_flush flush; /* until lingering */
    struct net_tick tick;   /* the same */

    /* Time as ticks count it: see rpc_tick_counts_ms(). */
    uint64_t ticked_ms;
    uint64_t state_ms;   /* in this state: enter() begins it */
    uint64_t blocked_ms; /* the socket has taken nothing: on_writable() ends it */
    bool late;           /* the last tick was: what the peer sent meanwhile is read only now */

    /* Our PINGs, numbered from 1; a peer answers them in their order. */
    struct rpc_keepalive keepalive;
    uint64_t pings_sent;
    uint64_t pings_answered;
    uint64_t keepalive_ping;
    uint64_t drain_ping;

    struct rpc_ping_policy ping_policy; /* for the peer's PINGs */

    struct net_error *why; /* owned; NULL: the transport knows */
};

static inline uint64_t rpc_conn_now_ms(const struct rpc_conn *conn)
{
    return uv_now(&conn->loop->uv);
}

/* A server's SETTINGS wait for the client's first bytes, which come directly behind its handshake
 * (RFC 9113 section 3.4: it does not wait for ours), and then go in one write with the answer to
 * its own. Who only connects gets them with the next tick or with why the connection ends. */
static inline void rpc_conn_open(struct rpc_conn *conn)
{
    if (conn->opening_waits) {
        conn->opening_waits = false;
        net_loop_flush_soon(conn->loop, &conn->flush);
    }
}

/* ---- conn_end.c ---- */

/* The only place where the state changes; what may follow what is asserted. */
void rpc_conn_enter(struct rpc_conn *conn, enum rpc_conn_state state);
/* The first reason is the cause; what follows are its consequences. */
void rpc_conn_explain(struct rpc_conn *conn, enum net_error_kind kind, const char *text);
/* The session was terminated: says so, then closes. */
void rpc_conn_do_close(struct rpc_conn *conn);
/* Nothing more to say or to hear; after rpc_conn_do_abort() nor to wait for. */
void rpc_conn_do_linger(struct rpc_conn *conn);
void rpc_conn_do_abort(struct rpc_conn *conn);
/* The second GOAWAY of a graceful end. */
void rpc_conn_finish_drain(struct rpc_conn *conn);
/* Closes the transport once the session is through, and a drained session with its last stream. */
void rpc_conn_close_when_finished(struct rpc_conn *conn);
/* The transport is closed: tells the owner, and frees. */
void rpc_conn_on_stream_closed(void *conn, const struct net_error *transport);

/* ---- conn_time.c ---- */

/* Returns its number, as pings_answered counts. */
uint64_t rpc_conn_send_ping(struct rpc_conn *conn);
/* The answer to one of ours came; the peer sent one, see h2_events. */
void rpc_conn_pinged_back(struct rpc_conn *conn);
void rpc_conn_pinged(struct rpc_conn *conn, bool busy);
void rpc_conn_on_tick(struct net_tick *item, uint64_t now);

#endif
