/* Who holds a connection's credit that others wait for.
 *
 * Peers commonly return credit late, so who sends much and is read holds some, too. Such a stream
 * is mostly answered: what was answered counts half (a server may talk on without reading), and who
 * holds enough without it comes first.
 *
 * Where many hold a little each, to lose one would give nobody room, and nobody does. But newcomers
 * get another connection while this one is shut. */
#include "relay/client.h"
#include "relay/upstream_impl.h"
#include "rpc/conn.h"

/* What a stream and the others of its client hold, by some measure. */
typedef size_t (*measure_fn)(const struct h2_stream *stream);

/* Notes what each client holds, and of it nothing as answered. Returns the sum of all. */
static size_t sum_held(struct upstream_conn *conn, measure_fn measure)
{
    size_t total = 0;
    struct list *node;
    struct list *next;
    list_each(node, next, &conn->requests)
    {
        if (upstream_request_at(node)->client != NULL) {
            upstream_request_at(node)->client->held_bytes = 0;
            upstream_request_at(node)->client->answered_bytes = 0;
        }
    }
    list_each(node, next, &conn->requests)
    {
        struct upstream_request *request = upstream_request_at(node);
        struct client *client = request->client;
        size_t held = measure(request->stream);
        if (!upstream_resets(request) && client != NULL && held > client->held_bytes) {
            total += held - client->held_bytes;
            client->held_bytes = held;
        }
    }
    return total;
}

/* Notes what was answered of what sum_held() noted. Returns the sum. */
static size_t sum_answered(struct upstream_conn *conn)
{
    size_t total = 0;
    struct list *node;
    struct list *next;
    list_each(node, next, &conn->requests)
    {
        struct upstream_request *request = upstream_request_at(node);
        struct client *client = request->client;
        if (!upstream_resets(request) && client != NULL) {
            size_t answered = h2_stream_answered_bytes(request->stream);
            size_t rest = client->held_bytes - client->answered_bytes;
            answered = answered < rest ? answered : rest;
            client->answered_bytes += answered;
            total += answered;
        }
    }
    return total;
}

/* What each client holds, less what was answered. Of so much of the window as peers commonly return
 * at once not all can have been read. Returns the sum. */
static size_t weigh(struct upstream_conn *conn, measure_fn measure)
{
    struct list *node;
    struct list *next;
    size_t total = sum_held(conn, measure);
    size_t answered = sum_answered(conn);
    if (answered >= h2_session_peer_window(rpc_conn_session(conn->conn)) / 2) {
        return total;
    }
    list_each(node, next, &conn->requests)
    {
        struct client *client = upstream_request_at(node)->client;
        if (client != NULL) {
            client->held_bytes -= client->answered_bytes;
            client->answered_bytes = 0; /* it has other streams */
        }
    }
    return total - answered;
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
        if (upstream_resets(upstream_request_at(node))) {
            dropped += h2_stream_unread_bytes(upstream_request_at(node)->stream);
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
        struct client *client = upstream_request_at(node)->client;
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
        const struct upstream_request *request = upstream_request_at(node);
        const struct client *client = request->client;
        bool other = holder == NULL || client != holder;
        bool few = client == NULL || client->held_bytes <= most;
        if (other && few && !upstream_resets(request) && h2_stream_waits(request->stream)) {
            return true;
        }
    }
    return false;
}

/* The clients with the most of so many bytes, as many as together have half; nobody, where that is
 * more than a few, or where nobody waits that has next to nothing of it. */
static struct upstream_clog take_crowd(struct upstream_conn *conn, size_t total)
{
    struct upstream_clog crowd = {0};
    size_t taken = 0;
    if (!others_wait(conn, NULL, total / UPSTREAM_CLOG_NEXT_TO_NOTHING)) {
        return crowd;
    }
    while (taken <= total / 2) {
        struct client *holder = find_holder(conn);
        if (holder == NULL || holder->held_bytes <= total / UPSTREAM_CLOG_CROWD) {
            return (struct upstream_clog){0};
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
static struct upstream_clog find_crowd(struct upstream_conn *conn)
{
    size_t nobodys = h2_session_nobodys_bytes(rpc_conn_session(conn->conn));
    size_t held = weigh(conn, h2_stream_held_bytes);
    struct upstream_clog crowd = take_crowd(conn, held + nobodys);
    if (crowd.count > 0 || nobodys < held) {
        return crowd;
    }
    return take_crowd(conn, sum_held(conn, h2_stream_queued_bytes));
}

struct upstream_clog upstream_find_clog(struct upstream_conn *conn)
{
    size_t dropped = sum_dropped(conn);
    size_t total = weigh(conn, h2_stream_behind_bytes);
    struct client *holder = find_holder(conn);
    if (dropped > 0 && dropped >= total / 2 && others_wait(conn, NULL, SIZE_MAX)) {
        return (struct upstream_clog){.dropped = true};
    }
    bool most = holder != NULL && holder->held_bytes > 0 && holder->held_bytes >= total / 2;
    if (most && others_wait(conn, holder, SIZE_MAX)) {
        return (struct upstream_clog){.holders = {holder}, .count = 1};
    }
    bool shut = h2_session_stalled(rpc_conn_session(conn->conn));
    return shut ? find_crowd(conn) : (struct upstream_clog){0};
}
