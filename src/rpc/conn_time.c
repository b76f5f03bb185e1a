/* What time does to a connection: PINGs, whose numbers say what they were for, and what may take
 * too long. */
#include "base/mem.h"
#include "net/stream.h"
#include "rpc/conn_impl.h"

/* How long a closing connection may take to send its GOAWAY. */
#define CLOSE_MS 1000
/* How long to wait for the answer to the drain PING before the final GOAWAY (as grpc-go does). */
#define DRAIN_PING_MS 5000

uint64_t rpc_conn_send_ping(struct rpc_conn *conn)
{
    h2_session_ping(conn->session);
    return ++conn->pings_sent;
}

static void do_keepalive(struct rpc_conn *conn, enum rpc_keepalive_act act)
{
    switch (act) {
    case RPC_KEEPALIVE_NOTHING:
        break;
    case RPC_KEEPALIVE_PING:
        conn->keepalive_ping = rpc_conn_send_ping(conn);
        break;
    case RPC_KEEPALIVE_DEAD:
        rpc_conn_explain(conn, NET_TIMED_OUT,
                         "no answer to a keepalive PING: the peer or the network is gone");
        rpc_conn_do_abort(conn);
        break;
    }
}

/* gRFC A8: a client pings only while streams are open. */
static void tick_keepalive(struct rpc_conn *conn, uint64_t now)
{
    bool wanted = conn->role == H2_SERVER || h2_session_stream_count(conn->session) > 0;
    do_keepalive(
        conn, rpc_keepalive_tick(&conn->keepalive, now, wanted, net_stream_blocked(conn->stream)));
}

/* The time that passed, as far as it counts. */
static void count_time(struct rpc_conn *conn, uint64_t now)
{
    conn->late = now - conn->ticked_ms > H2_STOOD_STILL_MS;
    uint64_t counts_ms = rpc_tick_counts_ms(&conn->ticked_ms, now);
    conn->state_ms += counts_ms;
    conn->blocked_ms = net_stream_blocked(conn->stream) ? conn->blocked_ms + counts_ms : 0;
}

void rpc_conn_on_tick(struct net_tick *item, uint64_t now)
{
    struct rpc_conn *conn = container_of(item, struct rpc_conn, tick);
    count_time(conn, now);
    rpc_conn_open(conn);
    if (conn->state == RPC_CONN_CLOSING) {
        if (conn->state_ms > CLOSE_MS) {
            rpc_conn_do_abort(conn);
        }
        return;
    }
    if (conn->blocked_ms > H2_WRITE_STALL_MS) {
        rpc_conn_explain(conn, NET_TIMED_OUT, "peer takes no bytes");
        rpc_conn_do_abort(conn);
        return;
    }
    if (!conn->late && h2_session_tick(conn->session, now) != 0) {
        rpc_conn_explain(conn, NET_TIMED_OUT, h2_session_reason(conn->session));
        rpc_conn_do_close(conn);
        return;
    }
    if (conn->state == RPC_CONN_ANNOUNCED && conn->state_ms > DRAIN_PING_MS) {
        rpc_conn_finish_drain(conn);
    }
    tick_keepalive(conn, now);
    if (h2_session_at_rest(conn->session)) {
        net_stream_rest(conn->stream);
    }
    rpc_conn_close_when_finished(conn);
}

void rpc_conn_pinged_back(struct rpc_conn *conn)
{
    uint64_t ping = ++conn->pings_answered;
    if (ping == conn->keepalive_ping) {
        rpc_keepalive_ack(&conn->keepalive);
    }
    if (ping == conn->drain_ping && conn->state == RPC_CONN_ANNOUNCED) {
        rpc_conn_finish_drain(conn);
    }
}

void rpc_conn_pinged(struct rpc_conn *conn, bool busy)
{
    uint64_t now = rpc_conn_now_ms(conn);
    bool at_once = conn->late || now - conn->ticked_ms > H2_STOOD_STILL_MS;
    if (!rpc_ping_policy_allows(&conn->ping_policy, now, busy, at_once)) {
        rpc_conn_explain(conn, NET_FAILED, "peer sent too many PINGs (too_many_pings)");
        rpc_conn_close(conn, H2_ENHANCE_YOUR_CALM, "too_many_pings");
    }
}

void rpc_conn_check_alive(struct rpc_conn *conn)
{
    if (conn->state < RPC_CONN_CLOSING) {
        do_keepalive(conn, rpc_keepalive_check(&conn->keepalive, rpc_conn_now_ms(conn)));
    }
}
