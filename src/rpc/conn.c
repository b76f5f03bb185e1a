/* One HTTP/2 connection: reads feed the session, one flush per loop turn pulls it.
 *
 * Happy path: bytes -> h2_session_feed() -> events; whatever asks for output -> on_flush() at the end of the turn
 * -> h2_session_pull() -> one write. When the session is finished the stream is closed; when the stream is closed
 * everything is freed.
 * Failure modes: the peer breaks the protocol or a limit (GOAWAY, then close), does not answer a keepalive PING or
 * takes no bytes (abort), or goes away (on_closed with the transport's reason). */
#include "rpc/conn.h"

#include "base/mem.h"
#include "net/stream.h"

#include <stdlib.h>

/* Writes of one connection before others get their turn. */
#define FLUSH_ROUNDS 4
/* How long a closing connection may take to send its GOAWAY. */
#define CLOSE_MS 1000
/* How long to wait for the answer to the drain PING before the final GOAWAY (as grpc-go does). */
#define DRAIN_PING_MS 5000

enum drain_state {
    DRAIN_NONE,
    DRAIN_ANNOUNCED, /* GOAWAY with the highest id is out; requests may still be on their way */
    DRAIN_FINAL,     /* GOAWAY with the real last id is out; closes with the last stream */
};

struct rpc_conn {
    struct net_stream *stream;  /* owned until on_closed */
    struct h2_session *session; /* owned */
    struct net_loop *loop;      /* borrowed */
    struct rpc_conn_config config;
    const struct rpc_conn_events *events; /* borrowed */
    void *user;
    struct net_flush flush;
    struct net_tick tick;
    uint64_t ping_sent_ms;     /* keepalive PING without an answer; 0: none */
    uint64_t peer_ping_ms;     /* the peer's last PING */
    uint64_t blocked_since_ms; /* 0: the socket takes bytes */
    uint64_t closing_since_ms; /* 0: not closing */
    uint64_t drain_since_ms;
    enum drain_state drain;
    unsigned strikes;
    bool closed; /* the transport is gone */
    bool why_set;
    struct net_error why;
};

static uint64_t now_ms(const struct rpc_conn *conn)
{
    return uv_now(&conn->loop->uv);
}

static void explain(struct rpc_conn *conn, enum net_error_kind kind, const char *text)
{
    if (!conn->why_set) {
        conn->why_set = true;
        net_error_set(&conn->why, kind, "%s: %s", net_stream_peer(conn->stream), text);
    }
}

/* Nothing more to say or hear: the transport may go. */
static void close_when_finished(struct rpc_conn *conn)
{
    bool idle = h2_session_stream_count(conn->session) == 0;
    if (conn->drain == DRAIN_FINAL && idle && conn->closing_since_ms == 0) {
        rpc_conn_close(conn, H2_NO_ERROR, NULL);
    }
    if (!net_stream_blocked(conn->stream) && h2_session_finished(conn->session)) {
        const char *reason = h2_session_reason(conn->session);
        if (reason != NULL) {
            explain(conn, NET_FAILED, reason);
        }
        net_stream_close(conn->stream);
    }
}

static void begin_close(struct rpc_conn *conn)
{
    if (conn->closing_since_ms == 0) {
        conn->closing_since_ms = now_ms(conn);
    }
    net_loop_flush_soon(conn->loop, &conn->flush);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static void on_data(void *user, const uint8_t *bytes, size_t len)
{
    struct rpc_conn *conn = user;
    if (conn->closing_since_ms != 0) {
        return;
    }
    if (h2_session_feed(conn->session, bytes, len, now_ms(conn)) < 0) {
        if (conn->closing_since_ms == 0) { /* else a callback closed the connection */
            const char *reason = h2_session_reason(conn->session);
            explain(conn, NET_FAILED, reason != NULL ? reason : "HTTP/2 protocol error");
            h2_session_terminate(conn->session, H2_PROTOCOL_ERROR, NULL);
        }
        begin_close(conn);
        return;
    }
    close_when_finished(conn);
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
                                        now_ms(conn));
        if (len < 0) {
            explain(conn, NET_FAILED, h2_session_reason(conn->session));
            net_stream_close(conn->stream);
            return;
        }
        if (len == 0) {
            break;
        }
        int rv = net_stream_write(conn->stream, conn->loop->write_bytes, (size_t)len);
        if (rv < 0) {
            return;
        }
        if (rv == NET_STREAM_E_BLOCKED) {
            conn->blocked_since_ms = now_ms(conn);
        }
    }
    close_when_finished(conn);
}

static void on_writable(void *user)
{
    struct rpc_conn *conn = user;
    conn->blocked_since_ms = 0;
    net_loop_flush_soon(conn->loop, &conn->flush);
}

static void on_output(void *ctx)
{
    struct rpc_conn *conn = ctx;
    if (!conn->closed) {
        net_loop_flush_soon(conn->loop, &conn->flush);
    }
}

static void on_stream_closed(void *user, const struct net_error *why)
{
    struct rpc_conn *conn = user;
    conn->closed = true;
    net_loop_tick_stop(&conn->tick);
    h2_session_free(conn->session, H2_CONNECTION_LOST);
    net_loop_flush_cancel(&conn->flush);
    conn->events->on_closed(conn->user, conn->why_set ? &conn->why : why);
    free(conn);
}

static const struct net_stream_events stream_events = {
    .on_data = on_data,
    .on_writable = on_writable,
    .on_closed = on_stream_closed,
};

/* ---- time ------------------------------------------------------------------------------------ */

/* gRFC A8: a peer that answers nothing is gone, even when the network says nothing. */
static void tick_keepalive(struct rpc_conn *conn, uint64_t now)
{
    uint64_t last_read = h2_session_last_read_ms(conn->session);
    if (conn->ping_sent_ms != 0) {
        if (last_read >= conn->ping_sent_ms) {
            conn->ping_sent_ms = 0;
        } else if (now - conn->ping_sent_ms >= conn->config.keepalive_timeout_ms) {
            explain(conn, NET_TIMED_OUT, "no answer to a keepalive PING: the peer or the network "
                                         "is gone");
            net_stream_abort(conn->stream);
        }
        return;
    }
    bool wanted = conn->config.role == H2_SERVER || h2_session_stream_count(conn->session) > 0;
    if (conn->config.keepalive_ms != 0 && wanted && now - last_read >= conn->config.keepalive_ms) {
        conn->ping_sent_ms = now + 1; /* a byte read in this very millisecond is older */
        h2_session_ping(conn->session);
    }
}

static bool tick_close(struct rpc_conn *conn, uint64_t now)
{
    if (conn->closing_since_ms != 0 && now - conn->closing_since_ms > CLOSE_MS) {
        net_stream_abort(conn->stream);
        return true;
    }
    if (conn->blocked_since_ms != 0 && now - conn->blocked_since_ms > H2_WRITE_STALL_MS) {
        explain(conn, NET_TIMED_OUT, "peer takes no bytes");
        net_stream_abort(conn->stream);
        return true;
    }
    return false;
}

static void finish_drain(struct rpc_conn *conn)
{
    conn->drain = DRAIN_FINAL;
    h2_session_drain_finish(conn->session, H2_NO_ERROR, NULL);
}

static void on_tick(struct net_tick *item, uint64_t now)
{
    struct rpc_conn *conn = container_of(item, struct rpc_conn, tick);
    if (tick_close(conn, now)) {
        return;
    }
    if (h2_session_tick(conn->session, now) != 0) {
        explain(conn, NET_TIMED_OUT, h2_session_reason(conn->session));
        begin_close(conn);
        return;
    }
    if (conn->drain == DRAIN_ANNOUNCED && now - conn->drain_since_ms > DRAIN_PING_MS) {
        finish_drain(conn);
    }
    tick_keepalive(conn, now);
    close_when_finished(conn);
}

/* ---- the session's events: most are passed on as they are -------------------------------------- */

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

static void on_room(void *user)
{
    struct rpc_conn *conn = user;
    if (conn->events->h2.on_room != NULL) {
        conn->events->h2.on_room(conn->user);
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
    if (conn->events->h2.on_ready != NULL) {
        conn->events->h2.on_ready(conn->user);
    }
}

static void on_ping_ack(void *user)
{
    struct rpc_conn *conn = user;
    if (conn->drain == DRAIN_ANNOUNCED) {
        finish_drain(conn);
    }
    if (conn->events->h2.on_ping_ack != NULL) {
        conn->events->h2.on_ping_ack(conn->user);
    }
}

/* gRFC A8, server side: pings that come too often and serve nothing are strikes. */
static void on_ping(void *user, bool busy)
{
    struct rpc_conn *conn = user;
    uint64_t now = now_ms(conn);
    bool early = conn->peer_ping_ms != 0 &&
                 now - conn->peer_ping_ms < conn->config.min_ping_interval_ms;
    conn->peer_ping_ms = now;
    if (busy) {
        conn->strikes = 0;
    } else if (early && ++conn->strikes > RPC_PING_STRIKES) {
        rpc_conn_close(conn, H2_ENHANCE_YOUR_CALM, "too_many_pings");
    }
}

static const struct h2_events session_events = {
    .on_request = on_request,
    .on_refused = on_refused,
    .on_room = on_room,
    .on_goaway = on_goaway,
    .on_ready = on_ready,
    .on_ping_ack = on_ping_ack,
    .on_ping = on_ping,
};

/* ---- life ------------------------------------------------------------------------------------ */

struct rpc_conn *rpc_conn_new(struct net_stream *stream, const struct rpc_conn_config *config,
                              const struct rpc_conn_events *events, void *user)
{
    struct rpc_conn *conn = mem_new(struct rpc_conn);
    conn->stream = stream;
    conn->loop = net_stream_loop(stream);
    conn->config = *config;
    conn->events = events;
    conn->user = user;
    net_flush_init(&conn->flush, on_flush);
    net_tick_init(&conn->tick, on_tick);
    conn->session = h2_session_new(config->role, &config->limits, &session_events, conn,
                                   now_ms(conn));
    if (conn->session == NULL) {
        abort(); /* no memory for a structure of fixed size */
    }
    net_loop_tick_start(conn->loop, &conn->tick);
    net_stream_start(stream, &stream_events, conn);
    h2_session_on_output(conn->session, on_output, conn);
    return conn;
}

void rpc_conn_check_alive(struct rpc_conn *conn)
{
    if (!conn->closed && conn->closing_since_ms == 0 && conn->ping_sent_ms == 0) {
        conn->ping_sent_ms = now_ms(conn) + 1;
        h2_session_ping(conn->session);
    }
}

void rpc_conn_drain(struct rpc_conn *conn, const char *debug)
{
    if (conn->closed || conn->drain != DRAIN_NONE || conn->closing_since_ms != 0) {
        return;
    }
    conn->drain = DRAIN_ANNOUNCED;
    conn->drain_since_ms = now_ms(conn);
    if (conn->config.role == H2_CLIENT) {
        finish_drain(conn); /* servers open no streams, so nothing can be on its way */
        return;
    }
    h2_session_drain_begin(conn->session, debug);
    h2_session_ping(conn->session);
}

void rpc_conn_close(struct rpc_conn *conn, enum h2_error error, const char *debug)
{
    if (conn->closed || conn->closing_since_ms != 0) {
        return;
    }
    if (debug != NULL) {
        explain(conn, NET_CLOSED, debug);
    }
    h2_session_terminate(conn->session, error, debug);
    begin_close(conn);
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
