/* One client that takes all of a connection's credit.
 *
 * A server may rightly withhold the window of the whole connection because the streams of one
 * client are not read. Half of it is kept for those who hold little (h2/share.c), so others wait
 * that hold more, and all do where the window is shut. When that lasts and the endpoint still
 * answers a PING, the client that holds most of it loses the streams that do, which gives their
 * credit back, and gets a lane of its own for the next ones. Where streams that were dropped, and
 * whose resets wait for their ration, hold much, these resets go first. An endpoint that gives
 * credit back, but slower than it is used, is busy: it withholds nothing, and to lose streams at
 * once would make it busier. */
#include "base/mem.h"
#include "relay/client.h"
#include "relay/upstream_impl.h"
#include "rpc/conn.h"

static struct upstream_request *request_at(struct list *node)
{
    return container_of(node, struct upstream_request, node);
}

/* Who holds the most while others wait. */
struct clog {
    struct client *holder; /* NULL: no client */
    bool dropped;          /* streams whose resets wait do */
};

/* Notes what each client is behind with. Returns the sum of all; `ret_dropped` gets what streams
 * hold whose resets wait. */
static size_t sum_behind(struct upstream_conn *conn, size_t *ret_dropped)
{
    size_t total = 0;
    size_t dropped = 0;
    struct list *node;
    struct list *next;
    list_each(node, next, &conn->requests)
    {
        if (request_at(node)->client != NULL) {
            request_at(node)->client->held_bytes = 0;
        }
    }
    list_each(node, next, &conn->requests)
    {
        struct upstream_request *request = request_at(node);
        struct client *client = request->client;
        size_t behind = h2_stream_behind_bytes(request->stream); /* all of the client's together */
        if (upstream_resets(request)) {
            dropped += h2_stream_unread_bytes(request->stream);
        } else if (client != NULL && behind > client->held_bytes) {
            total += behind - client->held_bytes;
            client->held_bytes = behind;
        }
    }
    size_t nobodys = h2_session_nobodys_bytes(rpc_conn_session(conn->conn));
    *ret_dropped = dropped < nobodys ? dropped : nobodys;
    return total;
}

/* The client that holds the most. */
static struct client *find_holder(struct upstream_conn *conn)
{
    struct client *holder = NULL;
    struct list *node;
    struct list *next;
    list_each(node, next, &conn->requests)
    {
        struct client *client = request_at(node)->client;
        if (client != NULL && (holder == NULL || client->held_bytes > holder->held_bytes)) {
            holder = client;
        }
    }
    return holder;
}

/* Others than `holder`, which may be NULL. */
static bool others_wait(struct upstream_conn *conn, const struct client *holder)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &conn->requests)
    {
        const struct upstream_request *request = request_at(node);
        bool other = holder == NULL || request->client != holder;
        if (other && !upstream_resets(request) && h2_stream_waits(request->stream)) {
            return true;
        }
    }
    return false;
}

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
        struct upstream_request *request = request_at(node);
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
        struct upstream_request *request = request_at(node);
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

static struct clog find_clog(struct upstream_conn *conn)
{
    size_t dropped;
    size_t total = sum_behind(conn, &dropped);
    struct client *holder = find_holder(conn);
    if (dropped > 0 && dropped >= total / 2 && others_wait(conn, NULL)) {
        return (struct clog){.dropped = true};
    }
    bool most = holder != NULL && holder->held_bytes > 0 && holder->held_bytes >= total / 2;
    if (most && others_wait(conn, holder)) {
        return (struct clog){.holder = holder};
    }
    return (struct clog){0};
}

static void end_clog(struct upstream_conn *conn, const struct clog *clog)
{
    conn->clogged_since_ms = 0;
    if (clog->dropped) {
        reset_dropped(conn);
        return;
    }
    client_set_apart(clog->holder, "its streams are not read at an endpoint, which withholds the "
                                   "credit of the whole connection: it gets connections of its "
                                   "own");
    end_streams_of(conn, clog->holder);
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

static bool lasts(const struct upstream_conn *conn, uint64_t now_ms)
{
    bool shut = conn->clog_shut_since_ms != 0;
    return now_ms - conn->clogged_since_ms >= UPSTREAM_CLOG_WAIT_MS ||
           (shut && now_ms - conn->clog_shut_since_ms >= UPSTREAM_CLOG_MS);
}

void upstream_unclog(struct upstream_conn *conn, uint64_t now_ms)
{
    struct h2_session *session = rpc_conn_session(conn->conn);
    struct clog clog = h2_session_waits(session) ? find_clog(conn) : (struct clog){0};
    note_shut(conn, session, now_ms);
    if (clog.holder == NULL && !clog.dropped) {
        conn->clogged_since_ms = 0;
    } else if (conn->clogged_since_ms == 0) {
        start_clock(conn, session, now_ms);
        conn->clog_heard = false;
    } else if (flows(conn, session)) {
        start_clock(conn, session, now_ms);
        conn->clog_heard = true;
    } else if (!conn->clog_heard) {
        hear(conn, session, now_ms);
    } else if (lasts(conn, now_ms)) {
        end_clog(conn, &clog);
    }
}
