/* One HTTP/2 connection on one byte stream: reads feed the session, one flush per loop turn pulls
 * it.
 *
 * Also what a connection needs to stay healthy: keepalive PINGs (gRFC A8), the peer's ping policy,
 * the time limits of h2/limits.h, graceful end. Owns its net_stream and its h2_session.
 *
 * opening -> open -> announced -> final -> closing -> lingering -> gone; the picture with its short
 * cuts is in conn_impl.h. */
#ifndef GRPCROUTE_RPC_CONN_H
#define GRPCROUTE_RPC_CONN_H

#include "h2/session.h"
#include "net/error.h"
#include "net/loop.h"

struct net_stream;
struct rpc_conn;

/* A client may not ping more often (gRFC A8). */
#define RPC_KEEPALIVE_MIN_MS 10000
/* Without an answer for this long the peer is gone (gRFC A8 keepalive_timeout). */
#define RPC_KEEPALIVE_TIMEOUT_MS 20000

struct rpc_conn_config {
    enum h2_role role;
    struct h2_limits limits;
    /* PING after this long without a byte from the peer; 0: never. Clients ping only while streams
     * are open, and not more often than RPC_KEEPALIVE_MIN_MS. A peer that answers GOAWAY
     * too_many_pings wants twice that on the next connection: its owner sees to it (gRFC A8). */
    uint64_t keepalive_ms;
    uint64_t keepalive_timeout_ms;
    /* Server: how often the peer may ping without being told off. */
    uint64_t min_ping_interval_ms;
};

struct rpc_conn_events {
    struct h2_events h2; /* `user` is the connection's */
    /* The transport is gone; every stream had its on_close before. Exactly once; the connection
     * frees itself when it returns. */
    void (*on_closed)(void *user, const struct net_error *why);
};

/* Takes the stream and starts talking. `events` is borrowed for the connection's life. */
struct rpc_conn *rpc_conn_new(struct net_stream *stream, const struct rpc_conn_config *config,
                              const struct rpc_conn_events *events, void *user);

struct h2_session *rpc_conn_session(struct rpc_conn *conn);

/* What became of the client's certificate. */
enum net_credential rpc_conn_credential(const struct rpc_conn *conn);
struct net_stream *rpc_conn_stream(struct rpc_conn *conn);
struct net_loop *rpc_conn_loop(const struct rpc_conn *conn);
/* The peer's address for messages; valid for the connection's life. */
const char *rpc_conn_peer(const struct rpc_conn *conn);

/* Sends a PING now; without any byte in keepalive_timeout_ms the connection is dropped. For a peer
 * that is suspected to be gone. Where one was sent within RPC_CHECK_GAP_MS, only if nothing comes
 * until then. */
void rpc_conn_check_alive(struct rpc_conn *conn);

/* Graceful: GOAWAY now, no new streams; closes after the last stream. */
void rpc_conn_drain(struct rpc_conn *conn, const char *debug);
/* GOAWAY with `error`, remaining streams fail, transport closes. on_closed follows. Repeats are
 * harmless. */
void rpc_conn_close(struct rpc_conn *conn, enum h2_error error, const char *debug);

#endif
