/* One client that takes all of a connection's credit: when that lasts too long, and what is done.
 *
 * A server may rightly withhold the window of the whole connection because the streams of one
 * client are not read. Half of it is kept for those who hold little (h2/share.c), so others wait
 * that hold more, and all do where the window is shut. When that lasts and the endpoint still
 * answers a PING, the client that holds most of it (upstream_holders.c) loses the streams that do,
 * which gives their credit back, and gets a lane of its own for the next ones. So do a few clients
 * that shut it together. Where streams that were dropped, and whose resets wait for their ration,
 * hold much, these resets go first. An endpoint that gives credit back, but slower than it is used,
 * is busy: it withholds nothing, and to lose streams at once would make it busier. */
#include "relay/client.h"
#include "relay/upstream_impl.h"
#include "rpc/conn.h"

/* What it has not sent yet would take the credit that comes back. */
static bool holds_or_wants(const struct upstream_request *request)
{
    return h2_stream_unread_bytes(request->stream) > 0 ||
           h2_stream_queued_bytes(request->stream) > 0;
}

static void end_streams_of(struct upstream_conn *conn, const struct client *holder)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &conn->requests)
    {
        struct upstream_request *request = upstream_request_at(node);
        if (request->client == holder && request->events->on_clogged != NULL &&
            holds_or_wants(request)) {
            request->urgent = true;
            request->events->on_clogged(request);
        }
    }
}

/* Of the streams whose resets wait, the one that holds the most or would; NULL: none does. */
static struct upstream_request *find_fullest_dropped(struct upstream_conn *conn)
{
    struct upstream_request *fullest = NULL;
    size_t most = 0;
    struct list *node;
    struct list *next;
    list_each(node, next, &conn->requests)
    {
        struct upstream_request *request = upstream_request_at(node);
        size_t holds =
            h2_stream_unread_bytes(request->stream) + h2_stream_queued_bytes(request->stream);
        if (upstream_resets(request) && holds > most) {
            most = holds;
            fullest = request;
        }
    }
    return fullest;
}

static void reset_dropped(struct upstream_conn *conn)
{
    struct upstream_request *request = find_fullest_dropped(conn);
    for (int i = 0; i < UPSTREAM_CLOG_RESETS && request != NULL; i++) {
        upstream_reset_now(request);
        request = find_fullest_dropped(conn);
    }
}

static void end_clog(struct upstream_conn *conn, const struct upstream_clog *clog, uint64_t now_ms)
{
    conn->clogged_since_ms = 0;
    conn->clog_ended_ms = now_ms;
    if (clog->dropped) {
        reset_dropped(conn);
        return;
    }
    for (unsigned i = 0; i < clog->count; i++) {
        client_set_apart(clog->holders[i], "its streams are not read at an endpoint, which "
                                           "withholds the credit of the whole connection: it gets "
                                           "connections of its own");
        end_streams_of(conn, clog->holders[i]);
    }
}

static void start_clock(struct upstream_conn *conn, const struct h2_session *session,
                        uint64_t now_ms)
{
    conn->clogged_since_ms = now_ms;
    conn->clog_credited = h2_session_credited_bytes(session);
    conn->clog_shut_since_ms = h2_session_stalled(session) ? now_ms : 0;
}

/* An endpoint that stood still answers first what it has read at once, and gives its credit back a
 * moment later. One that is stalled may have nothing to say unless it is asked. */
static void hear(struct upstream_conn *conn, const struct h2_session *session, uint64_t now_ms)
{
    bool waited = now_ms - conn->clogged_since_ms > UPSTREAM_CLOG_MS;
    conn->clog_heard = h2_session_last_read_ms(session) >= conn->clogged_since_ms;
    if (conn->clog_heard && waited) {
        start_clock(conn, session, now_ms);
    } else if (!conn->clog_heard && (waited || conn->clog_shut_since_ms != 0)) {
        rpc_conn_check_alive(conn->conn);
    }
}

/* Credit came back meanwhile: the endpoint is slow. */
static bool flows(const struct upstream_conn *conn, const struct h2_session *session)
{
    return h2_session_credited_bytes(session) - conn->clog_credited >= UPSTREAM_CLOG_FLOW_BYTES;
}

static void note_shut(struct upstream_conn *conn, const struct h2_session *session, uint64_t now_ms)
{
    if (!h2_session_stalled(session)) {
        conn->clog_shut_since_ms = 0;
    } else if (conn->clog_shut_since_ms == 0) {
        conn->clog_shut_since_ms = now_ms;
    }
}

/* It was known to live then, and withholds. */
static bool was_clogged_lately(const struct upstream_conn *conn, uint64_t now_ms)
{
    return conn->clog_ended_ms != 0 && now_ms - conn->clog_ended_ms < UPSTREAM_CLOG_AGAIN_MS;
}

static bool lasts(const struct upstream_conn *conn, const struct upstream_clog *clog,
                  uint64_t now_ms)
{
    bool shut = conn->clog_shut_since_ms != 0;
    bool soon = shut && (clog->count <= 1 || was_clogged_lately(conn, now_ms));
    return now_ms - conn->clogged_since_ms >= UPSTREAM_CLOG_WAIT_MS ||
           (soon && now_ms - conn->clog_shut_since_ms >= UPSTREAM_CLOG_MS);
}

static void note_starved(struct upstream_conn *conn, const struct h2_session *session,
                         uint64_t now_ms)
{
    uint64_t credited = h2_session_credited_bytes(session);
    if (!h2_session_is_shut(session)) {
        conn->starved_since_ms = 0;
    } else if (conn->starved_since_ms == 0 || credited != conn->starved_credited) {
        conn->starved_since_ms = now_ms;
    }
    conn->starved_credited = credited;
}

bool upstream_conn_starves(const struct upstream_conn *conn, uint64_t now_ms)
{
    return conn->starved_since_ms != 0 && now_ms - conn->starved_since_ms >= UPSTREAM_CLOG_MS &&
           h2_session_is_shut(rpc_conn_session(conn->conn));
}

void upstream_unclog(struct upstream_conn *conn, uint64_t now_ms)
{
    struct h2_session *session = rpc_conn_session(conn->conn);
    note_starved(conn, session, now_ms);
    struct upstream_clog clog =
        h2_session_waits(session) ? upstream_find_clog(conn) : (struct upstream_clog){0};
    note_shut(conn, session, now_ms);
    if (clog.count == 0 && !clog.dropped) {
        conn->clogged_since_ms = 0;
    } else if (conn->clogged_since_ms == 0) {
        start_clock(conn, session, now_ms);
        conn->clog_heard = was_clogged_lately(conn, now_ms);
    } else if (flows(conn, session)) {
        start_clock(conn, session, now_ms);
        conn->clog_heard = true;
    } else if (!conn->clog_heard) {
        hear(conn, session, now_ms);
    } else if (lasts(conn, &clog, now_ms)) {
        end_clog(conn, &clog, now_ms);
    }
}
