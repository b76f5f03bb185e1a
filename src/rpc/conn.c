/* One HTTP/2 connection: reads feed the session, one flush per loop turn pulls it.
 *
 * Happy path: bytes -> h2_session_feed() -> events; whatever asks for output -> on_flush() at
 * the end of the turn -> h2_session_pull() -> one write. When the session is finished the stream
 * is closed; when the stream is closed everything is freed.
 * Failure modes: the peer breaks the protocol or a limit (GOAWAY, then close), does not answer a
 * keepalive PING or takes no bytes (abort), or goes away (on_closed with the transport's reason).
 * The states are in conn_impl.h. */
#include "rpc/conn.h"

#include "base/mem.h"
#include "net/stream.h"
#include "rpc/conn_impl.h"
#include "rpc/greeting.h"

#include <stdlib.h>

/* Writes of one connection before others get their turn. */
#define FLUSH_ROUNDS 4

/* ---- bytes ----------------------------------------------------------------------------------- */

/* A server that does not speak HTTP/2 is told by what it says, not by the rule of HTTP/2 that
 * this breaks. */
static void judge_greeting(struct rpc_conn *conn, const uint8_t *bytes, size_t len)
{
    char text[RPC_GREETING_BYTES];
    if (!conn->heard && conn->role == H2_CLIENT && rpc_greeting_is_foreign(bytes, len, text)) {
        rpc_conn_explain(conn, NET_FAILED, text);
    }
    conn->heard = true;
}

static void on_data(void *user, const uint8_t *bytes, size_t len)
{
    struct rpc_conn *conn = user;
    if (conn->state >= RPC_CONN_CLOSING) {
        return;
    }
    rpc_conn_open(conn);
    rpc_keepalive_read(&conn->keepalive, rpc_conn_now_ms(conn));
    judge_greeting(conn, bytes, len);
    if (h2_session_feed(conn->session, bytes, len, rpc_conn_now_ms(conn)) < 0) {
        if (conn->state < RPC_CONN_CLOSING) { /* else a callback closed the connection */
            const char *reason = h2_session_reason(conn->session);
            rpc_conn_explain(conn, NET_FAILED, reason != NULL ? reason : "HTTP/2 protocol error");
            bool ours = h2_session_blame(conn->session) == H2_BLAME_OURSELVES;
            h2_session_terminate(conn->session, ours ? H2_INTERNAL_ERROR : H2_PROTOCOL_ERROR, NULL);
            rpc_conn_do_close(conn);
        }
        return;
    }
    rpc_conn_close_when_finished(conn);
}

static void on_flush(struct net_flush *item)
{
    struct rpc_conn *conn = container_of(item, struct rpc_conn, flush);
    for (int round = 0; !net_stream_blocked(conn->stream); round++) {
        if (round == FLUSH_ROUNDS) {
            net_loop_flush_soon(conn->loop, &conn->flush);
            return;
        }
        ptrdiff_t len = h2_session_pull(conn->session, conn->loop->write_bytes, NET_WRITE_BYTES,
                                        rpc_conn_now_ms(conn));
        if (len < 0) {
            const char *reason = h2_session_reason(conn->session);
            rpc_conn_explain(conn, NET_FAILED, reason != NULL ? reason : "HTTP/2 cannot go on");
            rpc_conn_do_linger(conn);
            return;
        }
        if (len == 0) {
            break;
        }
        if (net_stream_write(conn->stream, conn->loop->write_bytes, (size_t)len) < 0) {
            rpc_conn_do_linger(conn); /* its on_closed says why */
            return;
        }
    }
    rpc_conn_close_when_finished(conn);
}

static void on_writable(void *user)
{
    struct rpc_conn *conn = user;
    conn->blocked_ms = 0;
    if (conn->state < RPC_CONN_LINGERING) {
        net_loop_flush_soon(conn->loop, &conn->flush);
    }
}

static void on_output(void *ctx, bool may_wait)
{
    struct rpc_conn *conn = ctx;
    if (conn->state >= RPC_CONN_LINGERING || conn->opening_waits) {
        return;
    }
    if (may_wait) {
        net_loop_flush_later(conn->loop, &conn->flush);
    } else {
        net_loop_flush_soon(conn->loop, &conn->flush);
    }
}

static const struct net_stream_events stream_events = {
    .on_data = on_data,
    .on_writable = on_writable,
    .on_closed = rpc_conn_on_stream_closed,
};

/* ---- the session's events: most are passed on as they are ------------------------------------ */

static void on_request(void *user, struct h2_stream *stream, const struct h2_block *block,
                       bool end_stream)
{
    struct rpc_conn *conn = user;
    if (conn->events->h2.on_request != NULL) {
        conn->events->h2.on_request(conn->user, stream, block, end_stream);
    }
}

static void on_refused(void *user, struct h2_stream *stream, enum h2_refusal refusal,
                       const struct h2_block *block, const char *why)
{
    struct rpc_conn *conn = user;
    if (conn->events->h2.on_refused != NULL) {
        conn->events->h2.on_refused(conn->user, stream, refusal, block, why);
    }
}

static void on_goaway(void *user, uint32_t error, const uint8_t *debug, size_t debug_len)
{
    struct rpc_conn *conn = user;
    if (conn->events->h2.on_goaway != NULL) {
        conn->events->h2.on_goaway(conn->user, error, debug, debug_len);
    }
}

static void on_ready(void *user)
{
    struct rpc_conn *conn = user;
    if (conn->state == RPC_CONN_OPENING) { /* else draining or closing already */
        rpc_conn_enter(conn, RPC_CONN_OPEN);
    }
    if (conn->events->h2.on_ready != NULL) {
        conn->events->h2.on_ready(conn->user);
    }
}

static void on_room(void *user)
{
    struct rpc_conn *conn = user;
    if (conn->events->h2.on_room != NULL) {
        conn->events->h2.on_room(conn->user);
    }
}

static void on_ping_ack(void *user)
{
    struct rpc_conn *conn = user;
    rpc_conn_pinged_back(conn);
    if (conn->events->h2.on_ping_ack != NULL) {
        conn->events->h2.on_ping_ack(conn->user);
    }
}

static void on_ping(void *user, bool busy)
{
    rpc_conn_pinged(user, busy);
}

static const struct h2_events session_events = {
    .on_request = on_request,
    .on_refused = on_refused,
    .on_goaway = on_goaway,
    .on_ready = on_ready,
    .on_room = on_room,
    .on_ping_ack = on_ping_ack,
    .on_ping = on_ping,
};

/* ---- life ------------------------------------------------------------------------------------ */

/* gRFC A8: clients ping no more often than that, whatever was asked for. */
static uint64_t keepalive_interval_ms(const struct rpc_conn_config *config)
{
    bool raised = config->role == H2_CLIENT && config->keepalive_ms != 0 &&
                  config->keepalive_ms < RPC_KEEPALIVE_MIN_MS;
    return raised ? RPC_KEEPALIVE_MIN_MS : config->keepalive_ms;
}

struct rpc_conn *rpc_conn_new(struct net_stream *stream, const struct rpc_conn_config *config,
                              const struct rpc_conn_events *events, void *user)
{
    struct rpc_conn *conn = mem_new(struct rpc_conn);
    conn->stream = stream;
    conn->loop = net_stream_loop(stream);
    conn->role = config->role;
    conn->opening_waits = config->role == H2_SERVER;
    conn->ping_policy.min_interval_ms = config->min_ping_interval_ms;
    conn->events = events;
    conn->user = user;
    conn->ticked_ms = rpc_conn_now_ms(conn);
    net_flush_init(&conn->flush, on_flush);
    net_tick_init(&conn->tick, rpc_conn_on_tick);
    rpc_keepalive_init(&conn->keepalive, keepalive_interval_ms(config),
                       config->keepalive_timeout_ms, rpc_conn_now_ms(conn));
    conn->session =
        h2_session_new(config->role, &config->limits, &session_events, conn, rpc_conn_now_ms(conn));
    if (conn->session == NULL) {
        abort(); /* no memory for a structure of fixed size */
    }
    net_loop_tick_start(conn->loop, &conn->tick);
    net_stream_start(stream, &stream_events, conn);
    h2_session_on_output(conn->session, on_output, conn);
    return conn;
}

void rpc_conn_drain(struct rpc_conn *conn, const char *debug)
{
    if (conn->state >= RPC_CONN_ANNOUNCED) {
        return;
    }
    if (conn->role == H2_CLIENT) {
        rpc_conn_finish_drain(conn); /* servers open no streams, so nothing can be on its way */
        return;
    }
    rpc_conn_enter(conn, RPC_CONN_ANNOUNCED);
    h2_session_drain_begin(conn->session, debug);
    conn->drain_ping = rpc_conn_send_ping(conn);
}

enum net_credential rpc_conn_credential(const struct rpc_conn *conn)
{
    return net_stream_credential(conn->stream);
}

struct h2_session *rpc_conn_session(struct rpc_conn *conn)
{
    return conn->session;
}

struct net_stream *rpc_conn_stream(struct rpc_conn *conn)
{
    return conn->stream;
}

struct net_loop *rpc_conn_loop(const struct rpc_conn *conn)
{
    return conn->loop;
}

const char *rpc_conn_peer(const struct rpc_conn *conn)
{
    return net_stream_peer(conn->stream);
}
