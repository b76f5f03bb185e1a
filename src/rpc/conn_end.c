/* How a connection ends: by its owner, its session, its peer or its transport. */
#include "base/mem.h"
#include "net/stream.h"
#include "rpc/conn_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAY(state) (1u << (state))
#define MAY_END    (MAY(RPC_CONN_CLOSING) | MAY(RPC_CONN_LINGERING) | MAY(RPC_CONN_GONE))

static const unsigned may_follow[] = {
    [RPC_CONN_OPENING] =
        MAY(RPC_CONN_OPEN) | MAY(RPC_CONN_ANNOUNCED) | MAY(RPC_CONN_FINAL) | MAY_END,
    [RPC_CONN_OPEN] = MAY(RPC_CONN_ANNOUNCED) | MAY(RPC_CONN_FINAL) | MAY_END,
    [RPC_CONN_ANNOUNCED] = MAY(RPC_CONN_FINAL) | MAY_END,
    [RPC_CONN_FINAL] = MAY_END,
    [RPC_CONN_CLOSING] = MAY(RPC_CONN_LINGERING) | MAY(RPC_CONN_GONE),
    [RPC_CONN_LINGERING] = MAY(RPC_CONN_GONE),
    [RPC_CONN_GONE] = 0,
};

void rpc_conn_enter(struct rpc_conn *conn, enum rpc_conn_state state)
{
    assert((may_follow[conn->state] & MAY(state)) != 0);
    conn->state = state;
    conn->state_ms = 0;
    rpc_conn_open(conn);
    if (state >= RPC_CONN_LINGERING) {
        net_loop_tick_stop(&conn->tick);
        net_loop_flush_cancel(&conn->flush);
    }
}

void rpc_conn_explain(struct rpc_conn *conn, enum net_error_kind kind, const char *text)
{
    if (conn->why == NULL) {
        conn->why = mem_new(struct net_error);
        net_error_set(conn->why, kind, "%s: %s", net_stream_peer(conn->stream), text);
    }
}

void rpc_conn_do_close(struct rpc_conn *conn)
{
    if (conn->state < RPC_CONN_CLOSING) {
        rpc_conn_enter(conn, RPC_CONN_CLOSING);
        net_loop_flush_soon(conn->loop, &conn->flush);
    }
}

void rpc_conn_do_linger(struct rpc_conn *conn)
{
    if (conn->state < RPC_CONN_LINGERING) {
        rpc_conn_enter(conn, RPC_CONN_LINGERING);
        h2_session_terminate(conn->session, H2_NO_ERROR, NULL); /* takes no streams meanwhile */
        net_stream_close(conn->stream);
    }
}

void rpc_conn_do_abort(struct rpc_conn *conn)
{
    rpc_conn_do_linger(conn);
    net_stream_abort(conn->stream);
}

void rpc_conn_finish_drain(struct rpc_conn *conn)
{
    rpc_conn_enter(conn, RPC_CONN_FINAL);
    h2_session_drain_finish(conn->session, H2_NO_ERROR, NULL);
}

void rpc_conn_close_when_finished(struct rpc_conn *conn)
{
    const char *reason = h2_session_reason(conn->session);
    if (conn->state == RPC_CONN_FINAL && h2_session_stream_count(conn->session) == 0) {
        rpc_conn_close(conn, H2_NO_ERROR, NULL);
    }
    if (conn->state >= RPC_CONN_LINGERING || net_stream_blocked(conn->stream) ||
        !h2_session_finished(conn->session)) {
        return;
    }
    if (reason != NULL) {
        rpc_conn_explain(conn, NET_FAILED, reason);
    }
    rpc_conn_do_linger(conn);
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

void rpc_conn_on_stream_closed(void *user, const struct net_error *transport)
{
    struct rpc_conn *conn = user;
    rpc_conn_enter(conn, RPC_CONN_GONE);
    struct net_error why = final_why(conn, transport);
    h2_session_free(conn->session, H2_CONNECTION_LOST);
    conn->session = NULL;
    assert(list_empty(&conn->tick.node) && list_empty(&conn->flush.node));
    conn->events->on_closed(conn->user, &why);
    free(conn->why);
    free(conn);
}

void rpc_conn_close(struct rpc_conn *conn, enum h2_error error, const char *debug)
{
    if (conn->state >= RPC_CONN_CLOSING) {
        return;
    }
    if (debug != NULL) {
        rpc_conn_explain(conn, NET_CLOSED, debug);
    }
    h2_session_terminate(conn->session, error, debug);
    rpc_conn_do_close(conn);
}
