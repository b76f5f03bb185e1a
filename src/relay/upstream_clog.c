/* One client that takes all of a connection's credit.
 *
 * A server may rightly withhold the window of the whole connection because the streams of one
 * client are not read. Half of it is kept for those who hold little (h2/share.c), so others wait
 * that hold more, and all do where the window is shut. When that lasts and the endpoint still
 * answers a PING, the client that holds most of it loses the streams that do, which gives their
 * credit back, and gets a lane of its own for the next ones. So do a few clients that shut it
 * together. Where streams that were dropped, and whose resets wait for their ration, hold much,
 * these resets go first. An endpoint that gives credit back, but slower than it is used, is busy:
 * it withholds nothing, and to lose streams at once would make it busier.
 *
 * Where many hold a little each, to lose one would give nobody room, and nobody does. But newcomers
 * get another connection while this one is shut. */
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
    struct client *holders[UPSTREAM_CLOG_CROWD];
    unsigned count; /* of them; 0: nobody is in the way */
    bool dropped;   /* not they, but streams whose resets wait */
};

/* What a stream and the others of its client hold, by some measure. */
typedef size_t (*measure_fn)(const struct h2_stream *stream);

/* Notes what each client holds. Returns the sum of all. */
static size_t sum_held(struct upstream_conn *conn, measure_fn measure)
{
    size_t total = 0;
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
        size_t held = measure(request->stream);
        if (!upstream_resets(request) && client != NULL && held > client->held_bytes) {
            total += held - client->held_bytes;
            client->held_bytes = held;
        }
    }
    return total;
}

/* What streams hold whose resets wait. */
static size_t sum_dropped(struct upstream_conn *conn)
{
    size_t nobodys = h2_session_nobodys_bytes(rpc_conn_session(conn->conn));
    size_t dropped = 0;
    struct list *node;
    struct list *next;
    list_each(node, next, &conn->requests)
    {
        if (upstream_resets(request_at(node))) {
            dropped += h2_stream_unread_bytes(request_at(node)->stream);
        }
    }
    return dropped < nobodys ? dropped : nobodys;
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

/* Others than `holder`, which may be NULL, and hold no more than so many bytes. */
static bool others_wait(struct upstream_conn *conn, const struct client *holder, size_t most)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &conn->requests)
    {
        const struct upstream_request *request = request_at(node);
        const struct client *client = request->client;
        bool other = holder == NULL || client != holder;
        bool few = client == NULL || client->held_bytes <= most;
        if (other && few && !upstream_resets(request) && h2_stream_waits(request->stream)) {
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

/* The clients with the most of so many bytes, as many as together have half; nobody, where that is
 * more than a few, or where nobody waits that has next to nothing of it. */
static struct clog take_crowd(struct upstream_conn *conn, size_t total)
{
    struct clog crowd = {0};
    size_t taken = 0;
    if (!others_wait(conn, NULL, total / UPSTREAM_CLOG_NEXT_TO_NOTHING)) {
        return crowd;
    }
    while (taken <= total / 2) {
        struct client *holder = find_holder(conn);
        if (holder == NULL || holder->held_bytes <= total / UPSTREAM_CLOG_CROWD) {
            return (struct clog){0};
        }
        crowd.holders[crowd.count++] = holder;
        taken += holder->held_bytes;
        holder->held_bytes = 0;
    }
    return crowd;
}

/* Nobody holds half, yet all is used up: those who hold half together, for peers commonly return no
 * less. If ended streams held half, that would have come back: it is others who hold it, and they
 * are among those who want the most. */
static struct clog find_crowd(struct upstream_conn *conn)
{
    size_t nobodys = h2_session_nobodys_bytes(rpc_conn_session(conn->conn));
    size_t held = sum_held(conn, h2_stream_held_bytes);
    struct clog crowd = take_crowd(conn, held + nobodys);
    if (crowd.count > 0 || nobodys < held) {
        return crowd;
    }
    return take_crowd(conn, sum_held(conn, h2_stream_queued_bytes));
}

static struct clog find_clog(struct upstream_conn *conn)
{
    size_t dropped = sum_dropped(conn);
    size_t total = sum_held(conn, h2_stream_behind_bytes);
    struct client *holder = find_holder(conn);
    if (dropped > 0 && dropped >= total / 2 && others_wait(conn, NULL, SIZE_MAX)) {
        return (struct clog){.dropped = true};
    }
    bool most = holder != NULL && holder->held_bytes > 0 && holder->held_bytes >= total / 2;
    if (most && others_wait(conn, holder, SIZE_MAX)) {
        return (struct clog){.holders = {holder}, .count = 1};
    }
    bool shut = h2_session_stalled(rpc_conn_session(conn->conn));
    return shut ? find_crowd(conn) : (struct clog){0};
}

static void end_clog(struct upstream_conn *conn, const struct clog *clog, uint64_t now_ms)
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

static bool lasts(const struct upstream_conn *conn, const struct clog *clog, uint64_t now_ms)
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
    struct clog clog = h2_session_waits(session) ? find_clog(conn) : (struct clog){0};
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
