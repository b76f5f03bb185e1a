/* One HTTP/2 connection: reads feed the session, one flush per loop turn pulls it.
 *
 * Happy path: bytes -> h2_session_feed() -> events; whatever asks for output -> on_flush() at
 * the end of the turn -> h2_session_pull() -> one write. When the session is finished the stream
 * is closed; when the stream is closed everything is freed.
 * Failure modes: the peer breaks the protocol or a limit (GOAWAY, then close), does not answer a
 * keepalive PING or takes no bytes (abort), or goes away (on_closed with the transport's reason).
 *
 *   opening --SETTINGS--> open --drain--> announced --PING's ACK, late--> final --no stream--> closing
 *      |________drain________________________^  |_____(clients skip it)_____^
 *   each of these --close, limit, protocol error--> closing --GOAWAY sent, late--> lingering --> gone
 *   each of these --write failed, peer dead--> lingering --> gone; --transport lost--> gone */
#include "rpc/conn.h"

#include "base/mem.h"
#include "net/stream.h"
#include "rpc/greeting.h"
#include "rpc/keepalive.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Writes of one connection before others get their turn. */
#define FLUSH_ROUNDS 4
/* How long a closing connection may take to send its GOAWAY. */
#define CLOSE_MS 1000
/* How long to wait for the answer to the drain PING before the final GOAWAY (as grpc-go does). */
#define DRAIN_PING_MS 5000

enum conn_state {
    CONN_OPENING,   /* until the peer's SETTINGS; h2/limits.h has the time for it */
    CONN_OPEN,
    CONN_ANNOUNCED, /* GOAWAY with the highest id is out; requests may still be on their way */
    CONN_FINAL,     /* GOAWAY with the real last id is out; closes with the last stream */
    CONN_CLOSING,   /* the session is terminated; what waits and its GOAWAY are being sent */
    CONN_LINGERING, /* the transport was told to close: nothing is read or sent any more */
    CONN_GONE,      /* the transport is closed */
};

#define MAY(state) (1u << (state))
#define MAY_END    (MAY(CONN_CLOSING) | MAY(CONN_LINGERING) | MAY(CONN_GONE))

static const unsigned may_follow[] = {
    [CONN_OPENING] = MAY(CONN_OPEN) | MAY(CONN_ANNOUNCED) | MAY(CONN_FINAL) | MAY_END,
    [CONN_OPEN] = MAY(CONN_ANNOUNCED) | MAY(CONN_FINAL) | MAY_END,
    [CONN_ANNOUNCED] = MAY(CONN_FINAL) | MAY_END,
    [CONN_FINAL] = MAY_END,
    [CONN_CLOSING] = MAY(CONN_LINGERING) | MAY(CONN_GONE),
    [CONN_LINGERING] = MAY(CONN_GONE),
    [CONN_GONE] = 0,
};

struct rpc_conn {
    enum conn_state state;
    enum h2_role role;
    bool heard;                 /* the peer has sent something */
    struct net_stream *stream;  /* owned until on_closed */
    struct h2_session *session; /* owned */
    struct net_loop *loop;      /* borrowed */
    const struct rpc_conn_events *events; /* borrowed */
    void *user;
    struct net_flush flush; /* until lingering */
    struct net_tick tick;   /* the same */

    /* Time as ticks count it: see rpc_tick_counts_ms(). */
    uint64_t ticked_ms;
    uint64_t state_ms;   /* in this state: enter() begins it */
    uint64_t blocked_ms; /* the socket has taken nothing: on_writable() ends it */
    bool late;           /* the last tick was: what the peer sent meanwhile is read at once, or yet */

    /* Our PINGs, numbered from 1; a peer answers them in their order. */
    struct rpc_keepalive keepalive;
    uint64_t pings_sent;
    uint64_t pings_answered;
    uint64_t keepalive_ping;
    uint64_t drain_ping;

    struct rpc_ping_policy ping_policy; /* for the peer's PINGs */

    struct net_error *why; /* owned; NULL: the transport knows */
};

static uint64_t now_ms(const struct rpc_conn *conn)
{
    return uv_now(&conn->loop->uv);
}

/* The only place where the state changes. */
static void enter(struct rpc_conn *conn, enum conn_state state)
{
    assert((may_follow[conn->state] & MAY(state)) != 0);
    conn->state = state;
    conn->state_ms = 0;
    if (state >= CONN_LINGERING) {
        net_loop_tick_stop(&conn->tick);
        net_loop_flush_cancel(&conn->flush);
    }
}

/* The first reason is the cause; what follows are its consequences. */
static void explain(struct rpc_conn *conn, enum net_error_kind kind, const char *text)
{
    if (conn->why == NULL) {
        conn->why = mem_new(struct net_error);
        net_error_set(conn->why, kind, "%s: %s", net_stream_peer(conn->stream), text);
    }
}

/* ---- ends ------------------------------------------------------------------------------------ */

/* The session was terminated: says so, then closes. */
static void do_close(struct rpc_conn *conn)
{
    if (conn->state < CONN_CLOSING) {
        enter(conn, CONN_CLOSING);
        net_loop_flush_soon(conn->loop, &conn->flush);
    }
}

/* Nothing more to say or to hear. */
static void do_linger(struct rpc_conn *conn)
{
    if (conn->state < CONN_LINGERING) {
        enter(conn, CONN_LINGERING);
        h2_session_terminate(conn->session, H2_NO_ERROR, NULL); /* takes no streams meanwhile */
        net_stream_close(conn->stream);
    }
}

static void do_abort(struct rpc_conn *conn)
{
    do_linger(conn);
    net_stream_abort(conn->stream);
}

static void close_when_finished(struct rpc_conn *conn)
{
    const char *reason = h2_session_reason(conn->session);
    if (conn->state == CONN_FINAL && h2_session_stream_count(conn->session) == 0) {
        rpc_conn_close(conn, H2_NO_ERROR, NULL);
    }
    if (conn->state >= CONN_LINGERING || net_stream_blocked(conn->stream) ||
        !h2_session_finished(conn->session)) {
        return;
    }
    if (reason != NULL) {
        explain(conn, NET_FAILED, reason);
    }
    do_linger(conn);
}

/* Why the connection ended, in the words of who knows most. */
static struct net_error final_why(const struct rpc_conn *conn, const struct net_error *transport)
{
    const char *goaway = h2_session_goaway_text(conn->session);
    struct net_error why = conn->why != NULL ? *conn->why : *transport;
    if (goaway != NULL && conn->why == NULL && transport->kind == NET_CLOSED) {
        net_error_set(&why, NET_CLOSED, "%s: %s", net_stream_peer(conn->stream), goaway);
    } else if (goaway != NULL) {
        size_t len = strlen(why.text);
        snprintf(why.text + len, sizeof(why.text) - len, " (after %s)", goaway);
    }
    return why;
}

static void on_stream_closed(void *user, const struct net_error *transport)
{
    struct rpc_conn *conn = user;
    enter(conn, CONN_GONE);
    struct net_error why = final_why(conn, transport);
    h2_session_free(conn->session, H2_CONNECTION_LOST);
    conn->session = NULL;
    assert(list_empty(&conn->tick.node) && list_empty(&conn->flush.node));
    conn->events->on_closed(conn->user, &why);
    free(conn->why);
    free(conn);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* A server that does not speak HTTP/2 is told by what it says, not by the rule of HTTP/2 that
 * this breaks. */
static void judge_greeting(struct rpc_conn *conn, const uint8_t *bytes, size_t len)
{
    char text[RPC_GREETING_BYTES];
    if (!conn->heard && conn->role == H2_CLIENT && rpc_greeting_is_foreign(bytes, len, text)) {
        explain(conn, NET_FAILED, text);
    }
    conn->heard = true;
}

static void on_data(void *user, const uint8_t *bytes, size_t len)
{
    struct rpc_conn *conn = user;
    if (conn->state >= CONN_CLOSING) {
        return;
    }
    rpc_keepalive_read(&conn->keepalive, now_ms(conn));
    judge_greeting(conn, bytes, len);
    if (h2_session_feed(conn->session, bytes, len, now_ms(conn)) < 0) {
        if (conn->state < CONN_CLOSING) { /* else a callback closed the connection */
            const char *reason = h2_session_reason(conn->session);
            explain(conn, NET_FAILED, reason != NULL ? reason : "HTTP/2 protocol error");
            h2_session_terminate(conn->session, H2_PROTOCOL_ERROR, NULL);
            do_close(conn);
        }
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
            const char *reason = h2_session_reason(conn->session);
            explain(conn, NET_FAILED, reason != NULL ? reason : "HTTP/2 cannot go on");
            do_linger(conn);
            return;
        }
        if (len == 0) {
            break;
        }
        if (net_stream_write(conn->stream, conn->loop->write_bytes, (size_t)len) < 0) {
            do_linger(conn); /* its on_closed says why */
            return;
        }
    }
    close_when_finished(conn);
}

static void on_writable(void *user)
{
    struct rpc_conn *conn = user;
    conn->blocked_ms = 0;
    if (conn->state < CONN_LINGERING) {
        net_loop_flush_soon(conn->loop, &conn->flush);
    }
}

static void on_output(void *ctx)
{
    struct rpc_conn *conn = ctx;
    if (conn->state < CONN_LINGERING) {
        net_loop_flush_soon(conn->loop, &conn->flush);
    }
}

static const struct net_stream_events stream_events = {
    .on_data = on_data,
    .on_writable = on_writable,
    .on_closed = on_stream_closed,
};

/* ---- PINGs and time -------------------------------------------------------------------------- */

static uint64_t send_ping(struct rpc_conn *conn)
{
    h2_session_ping(conn->session);
    return ++conn->pings_sent;
}

static void finish_drain(struct rpc_conn *conn)
{
    enter(conn, CONN_FINAL);
    h2_session_drain_finish(conn->session, H2_NO_ERROR, NULL);
}

static void do_keepalive(struct rpc_conn *conn, enum rpc_keepalive_act act)
{
    switch (act) {
    case RPC_KEEPALIVE_NOTHING:
        break;
    case RPC_KEEPALIVE_PING:
        conn->keepalive_ping = send_ping(conn);
        break;
    case RPC_KEEPALIVE_DEAD:
        explain(conn, NET_TIMED_OUT,
                "no answer to a keepalive PING: the peer or the network is gone");
        do_abort(conn);
        break;
    }
}

/* gRFC A8: a client pings only while streams are open. */
static void tick_keepalive(struct rpc_conn *conn, uint64_t now)
{
    bool wanted = conn->role == H2_SERVER || h2_session_stream_count(conn->session) > 0;
    do_keepalive(conn, rpc_keepalive_tick(&conn->keepalive, now, wanted,
                                          net_stream_blocked(conn->stream)));
}

/* The time that passed, as far as it counts. */
static void count_time(struct rpc_conn *conn, uint64_t now)
{
    conn->late = now - conn->ticked_ms > RPC_TICK_LATE_MS;
    uint64_t counts_ms = rpc_tick_counts_ms(&conn->ticked_ms, now);
    conn->state_ms += counts_ms;
    conn->blocked_ms = net_stream_blocked(conn->stream) ? conn->blocked_ms + counts_ms : 0;
}

static void on_tick(struct net_tick *item, uint64_t now)
{
    struct rpc_conn *conn = container_of(item, struct rpc_conn, tick);
    count_time(conn, now);
    if (conn->state == CONN_CLOSING) {
        if (conn->state_ms > CLOSE_MS) {
            do_abort(conn);
        }
        return;
    }
    if (conn->blocked_ms > H2_WRITE_STALL_MS) {
        explain(conn, NET_TIMED_OUT, "peer takes no bytes");
        do_abort(conn);
        return;
    }
    if (!conn->late && h2_session_tick(conn->session, now) != 0) {
        explain(conn, NET_TIMED_OUT, h2_session_reason(conn->session));
        do_close(conn);
        return;
    }
    if (conn->state == CONN_ANNOUNCED && conn->state_ms > DRAIN_PING_MS) {
        finish_drain(conn);
    }
    tick_keepalive(conn, now);
    close_when_finished(conn);
}

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
    if (conn->state == CONN_OPENING) { /* else draining or closing already */
        enter(conn, CONN_OPEN);
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
    uint64_t ping = ++conn->pings_answered;
    if (ping == conn->keepalive_ping) {
        rpc_keepalive_ack(&conn->keepalive);
    }
    if (ping == conn->drain_ping && conn->state == CONN_ANNOUNCED) {
        finish_drain(conn);
    }
    if (conn->events->h2.on_ping_ack != NULL) {
        conn->events->h2.on_ping_ack(conn->user);
    }
}

static void on_ping(void *user, bool busy)
{
    struct rpc_conn *conn = user;
    uint64_t now = now_ms(conn);
    bool at_once = conn->late || now - conn->ticked_ms > RPC_TICK_LATE_MS;
    if (!rpc_ping_policy_allows(&conn->ping_policy, now, busy, at_once)) {
        rpc_conn_close(conn, H2_ENHANCE_YOUR_CALM, "too_many_pings");
    }
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
    conn->ping_policy.min_interval_ms = config->min_ping_interval_ms;
    conn->events = events;
    conn->user = user;
    conn->ticked_ms = now_ms(conn);
    net_flush_init(&conn->flush, on_flush);
    net_tick_init(&conn->tick, on_tick);
    rpc_keepalive_init(&conn->keepalive, keepalive_interval_ms(config),
                       config->keepalive_timeout_ms, now_ms(conn));
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
    if (conn->state < CONN_CLOSING) {
        do_keepalive(conn, rpc_keepalive_check(&conn->keepalive, now_ms(conn)));
    }
}

void rpc_conn_drain(struct rpc_conn *conn, const char *debug)
{
    if (conn->state >= CONN_ANNOUNCED) {
        return;
    }
    if (conn->role == H2_CLIENT) {
        finish_drain(conn); /* servers open no streams, so nothing can be on its way */
        return;
    }
    enter(conn, CONN_ANNOUNCED);
    h2_session_drain_begin(conn->session, debug);
    conn->drain_ping = send_ping(conn);
}

void rpc_conn_close(struct rpc_conn *conn, enum h2_error error, const char *debug)
{
    if (conn->state >= CONN_CLOSING) {
        return;
    }
    if (debug != NULL) {
        explain(conn, NET_CLOSED, debug);
    }
    h2_session_terminate(conn->session, error, debug);
    do_close(conn);
}

bool rpc_conn_wants_certificate(const struct rpc_conn *conn)
{
    return net_stream_wants_certificate(conn->stream);
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
