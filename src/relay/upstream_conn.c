/* A pool's connections: made, used, ended. */
#include "base/mem.h"
#include "net/dial.h"
#include "net/stream.h"
#include "relay/upstream_impl.h"
#include "rpc/conn.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static uint64_t now_ms(const struct upstream *upstream)
{
    return worker_now_ms(upstream->worker);
}

static struct upstream_conn *conn_at(struct list *node)
{
    return container_of(node, struct upstream_conn, node);
}

static struct h2_session *session_of(const struct upstream_conn *conn)
{
    return rpc_conn_session(conn->conn);
}

/* ---- life ----------------------------------------------------------------------------- */

static void set_state(struct upstream_conn *conn, enum upstream_conn_state state)
{
    static const unsigned may_follow[] = {
        [UPSTREAM_CONN_DIALLING] = 1u << UPSTREAM_CONN_OPENING,
        [UPSTREAM_CONN_OPENING] = 1u << UPSTREAM_CONN_OPEN | 1u << UPSTREAM_CONN_ENDING,
        [UPSTREAM_CONN_OPEN] = 1u << UPSTREAM_CONN_ENDING,
        [UPSTREAM_CONN_ENDING] = 0,
    };
    assert((may_follow[conn->state] & 1u << state) != 0);
    conn->state = state;
}

void upstream_end_conn(struct upstream_conn *conn)
{
    if (conn->state == UPSTREAM_CONN_OPENING || conn->state == UPSTREAM_CONN_OPEN) {
        set_state(conn, UPSTREAM_CONN_ENDING);
        rpc_conn_drain(conn->conn, NULL);
    }
}

static struct upstream_conn *conn_new(struct upstream *upstream, unsigned lane)
{
    struct upstream_conn *conn = mem_new(struct upstream_conn);
    conn->upstream = upstream;
    conn->lane = lane;
    list_init(&conn->requests);
    list_append(&upstream->conns, &conn->node);
    upstream->conn_count++;
    upstream_ration_init(conn, now_ms(upstream));
    return conn;
}

void upstream_conn_free(struct upstream_conn *conn)
{
    assert(list_empty(&conn->requests) && conn->request_count == 0 && conn->resetting_count == 0);
    list_remove(&conn->node);
    conn->upstream->conn_count--;
    free(conn);
}

size_t upstream_count_conns(const struct upstream *upstream, unsigned lane,
                            enum upstream_conn_state state)
{
    size_t count = 0;
    struct list *node;
    struct list *next;
    list_each(node, next, &upstream->conns)
    {
        count += conn_at(node)->lane == lane && conn_at(node)->state == state;
    }
    return count;
}

size_t upstream_count_opening(const struct upstream *upstream, unsigned lane)
{
    return upstream_count_conns(upstream, lane, UPSTREAM_CONN_DIALLING) +
           upstream_count_conns(upstream, lane, UPSTREAM_CONN_OPENING);
}

/* An endpoint that takes no more connections still serves those it has, and a client may be why
 * more are wanted: the health check says what it is. To have no descriptor is no fault of the
 * endpoint at all. */
static void judge_failure(struct upstream *upstream, const struct net_error *why)
{
    struct endpoint *endpoint = upstream->endpoint;
    if (atomic_load(&endpoint->cx_active) > 0) {
        atomic_store(&endpoint->recheck, true);
    } else if (why->kind != NET_FD_LIMIT) {
        worker_endpoint_failed(upstream->worker, endpoint, why->text);
    }
}

/* A connection ended before it took a stream, or could not be made. */
static void conn_failed(struct upstream *upstream, unsigned lane, const struct net_error *why)
{
    judge_failure(upstream, why);
    if (upstream_count_opening(upstream, lane) == 0) {
        upstream_fail_lane(upstream, lane, why);
    }
}

static void on_ready(void *user)
{
    struct upstream_conn *conn = user;
    if (conn->state == UPSTREAM_CONN_OPENING) {
        set_state(conn, UPSTREAM_CONN_OPEN);
        conn->idle_since_ms = now_ms(conn->upstream);
    }
}

static void on_room(void *user)
{
    struct upstream_conn *conn = user;
    uint32_t allowed = h2_session_peer_max_streams(session_of(conn));
    if (allowed > 0) {
        conn->upstream->streams_per_conn = allowed;
    }
    conn->upstream->on_room(conn->upstream, conn->lane);
}

static void on_goaway(void *user, uint32_t error, const uint8_t *debug, size_t debug_len)
{
    struct upstream_conn *conn = user;
    struct upstream *upstream = conn->upstream;
    static const char too_many[] = "too_many_pings";
    if (error == H2_ENHANCE_YOUR_CALM && debug_len == strlen(too_many) &&
        memcmp(debug, too_many, debug_len) == 0) {
        upstream->keepalive_ms *= 2;
    }
    if (error != H2_NO_ERROR) {
        worker_endpoint_fault(upstream->worker, upstream->endpoint,
                              h2_session_goaway_text(session_of(conn)));
    }
    atomic_store(&upstream->endpoint->recheck, true);
    upstream_end_conn(conn);
}

static void on_closed(void *user, const struct net_error *why)
{
    struct upstream_conn *conn = user;
    struct upstream *upstream = conn->upstream;
    enum upstream_conn_state state = conn->state;
    unsigned lane = conn->lane;
    bool expected = state == UPSTREAM_CONN_ENDING || upstream->worker->draining ||
                    upstream_is_removed(upstream);
    atomic_fetch_sub(&upstream->endpoint->cx_active, 1);
    upstream_conn_free(conn);
    if (state == UPSTREAM_CONN_OPENING) {
        conn_failed(upstream, lane, why);
    } else if (!expected && lane == 0) {
        worker_endpoint_failed(upstream->worker, upstream->endpoint, why->text);
    }
    relay_ask_discovery(upstream->worker->relay);
    upstream->on_room(upstream, lane);
}

static const struct rpc_conn_events conn_events = {
    .h2 = {.on_goaway = on_goaway, .on_ready = on_ready, .on_room = on_room},
    .on_closed = on_closed,
};

static void on_dialled(void *user, struct net_stream *stream, const struct net_error *error)
{
    struct upstream_conn *conn = user;
    struct upstream *upstream = conn->upstream;
    conn->dial = NULL;
    if (stream == NULL) {
        unsigned lane = conn->lane;
        upstream_conn_free(conn);
        atomic_fetch_add(&upstream->endpoint->cx_connect_fail, 1);
        conn_failed(upstream, lane, error);
        return;
    }
    struct rpc_conn_config config = {
        .role = H2_CLIENT,
        .limits = H2_LIMITS_CLIENT,
        .keepalive_ms = upstream->keepalive_ms,
        .keepalive_timeout_ms = UPSTREAM_KEEPALIVE_TIMEOUT_MS,
    };
    config.limits.connection_window_bytes = UPSTREAM_WINDOW_BYTES;
    config.limits.queued_total = &upstream->worker->queued_bytes;
    set_state(conn, UPSTREAM_CONN_OPENING);
    atomic_fetch_add(&upstream->endpoint->cx_active, 1);
    atomic_fetch_add(&upstream->endpoint->cx_total, 1);
    conn->conn = rpc_conn_new(stream, &config, &conn_events, conn);
}

void upstream_dial(struct upstream *upstream, unsigned lane)
{
    const struct net_dial_config config = {
        .host = upstream->endpoint->name,
        .address = (const struct sockaddr *)&upstream->endpoint->address,
        .timeout_ms = UPSTREAM_CONNECT_TIMEOUT_MS,
    };
    struct upstream_conn *conn = conn_new(upstream, lane);
    conn->dial = net_dial_start(&upstream->worker->loop, &config, on_dialled, conn);
}

/* ---- room ------------------------------------------------------------------------------------ */

/* The lane's first open connection of which `is` holds; NULL: none. */
static struct upstream_conn *find_open(const struct upstream *upstream, unsigned lane,
                                       bool (*is)(const struct upstream_conn *conn))
{
    struct list *node;
    struct list *next;
    list_each(node, next, &upstream->conns)
    {
        struct upstream_conn *conn = conn_at(node);
        if (conn->lane == lane && conn->state == UPSTREAM_CONN_OPEN && is(conn)) {
            return conn;
        }
    }
    return NULL;
}

static bool has_room(const struct upstream_conn *conn)
{
    return !conn->refuses && h2_session_room(session_of(conn)) > 0 &&
           !upstream_conn_starves(conn, now_ms(conn->upstream));
}

static bool is_paused(const struct upstream_conn *conn)
{
    return h2_session_peer_max_streams(session_of(conn)) == 0;
}

static bool refuses(const struct upstream_conn *conn)
{
    return conn->refuses;
}

struct upstream_conn *upstream_conn_with_room(const struct upstream *upstream, unsigned lane)
{
    return find_open(upstream, lane, has_room);
}

bool upstream_is_paused(const struct upstream *upstream, unsigned lane)
{
    return find_open(upstream, lane, is_paused) != NULL;
}

bool upstream_refuses(const struct upstream *upstream, unsigned lane)
{
    return find_open(upstream, lane, refuses) != NULL;
}

void upstream_link(struct upstream_conn *conn, struct upstream_request *request)
{
    upstream_dequeue(request);
    request->upstream = conn->upstream;
    request->conn = conn;
    request->since_ms = now_ms(conn->upstream);
    list_append(&conn->requests, &request->node);
    conn->request_count++;
    conn->idle_since_ms = 0;
}

void upstream_unlink(struct upstream_request *request)
{
    struct upstream_conn *conn = request->conn;
    list_remove(&request->node);
    upstream_forget_reset(request);
    conn->request_count--;
    request->conn = NULL;
    request->upstream = NULL;
    request->stream = NULL;
    request->urgent = false;
    if (list_empty(&conn->requests)) {
        conn->idle_since_ms = now_ms(conn->upstream);
    }
}

void upstream_refused(struct upstream_request *request)
{
    request->conn->refuses = true;
}

bool upstream_note_broken(struct upstream_request *request)
{
    bool news = !request->conn->broken;
    request->conn->broken = true;
    return news;
}

void upstream_closed(struct upstream_request *request)
{
    assert(request->conn != NULL);
    request->conn->ended_streams++;
    upstream_unlink(request);
}
