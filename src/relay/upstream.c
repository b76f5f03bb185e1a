#include "relay/upstream.h"

#include "base/mem.h"
#include "net/dial.h"
#include "net/stream.h"
#include "relay/upstream_internal.h"
#include "rpc/conn.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAMS_PER_CONN_GUESS 100

static void serve_lane(struct upstream *upstream, unsigned lane);

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

static bool is_removed(const struct upstream *upstream)
{
    return atomic_load(&upstream->endpoint->removed);
}

/* ---- waiting --------------------------------------------------------------------------------- */

void upstream_request_init(struct upstream_request *request,
                           const struct upstream_request_events *events)
{
    request->events = events;
    list_init(&request->node);
    list_init(&request->reset_node);
}

bool upstream_waits(const struct upstream_request *request)
{
    return request->upstream != NULL && request->conn == NULL;
}

static void enqueue(struct upstream *upstream, struct upstream_request *request)
{
    assert(request->upstream == NULL && request->stream == NULL && list_empty(&request->node));
    request->upstream = upstream;
    request->since_ms = now_ms(upstream);
    list_append(&upstream->waiting[request->lane], &request->node);
    upstream->waiting_count[request->lane]++;
}

static void dequeue(struct upstream_request *request)
{
    assert(upstream_waits(request));
    list_remove(&request->node);
    request->upstream->waiting_count[request->lane]--;
    request->upstream = NULL;
}

void upstream_cancel(struct upstream_request *request)
{
    if (upstream_waits(request)) {
        dequeue(request);
    }
}

static struct upstream_request *first_waiting(struct upstream *upstream, unsigned lane)
{
    struct list *head = &upstream->waiting[lane];
    return list_empty(head) ? NULL : container_of(head->next, struct upstream_request, node);
}

/* Fails those that wait now; who asks again meanwhile waits anew. */
static void fail_lane(struct upstream *upstream, unsigned lane, const struct net_error *why)
{
    for (size_t left = upstream->waiting_count[lane]; left > 0; left--) {
        struct upstream_request *request = first_waiting(upstream, lane);
        if (request == NULL) {
            return;
        }
        dequeue(request);
        request->events->on_failed(request, why);
    }
}

/* ---- connections ----------------------------------------------------------------------------- */

static void set_state(struct upstream_conn *conn, enum conn_state state)
{
    static const unsigned may_follow[] = {
        [CONN_DIALING] = 1u << CONN_OPENING,
        [CONN_OPENING] = 1u << CONN_OPEN | 1u << CONN_ENDING,
        [CONN_OPEN] = 1u << CONN_ENDING,
        [CONN_ENDING] = 0,
    };
    assert((may_follow[conn->state] & 1u << state) != 0);
    conn->state = state;
}

/* Takes no more streams, ends with its last one. */
static void end_conn(struct upstream_conn *conn)
{
    if (conn->state == CONN_OPENING || conn->state == CONN_OPEN) {
        set_state(conn, CONN_ENDING);
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

static void conn_free(struct upstream_conn *conn)
{
    assert(list_empty(&conn->requests));
    list_remove(&conn->node);
    conn->upstream->conn_count--;
    free(conn);
}

static size_t count_conns(const struct upstream *upstream, unsigned lane, enum conn_state state)
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

static size_t count_opening(const struct upstream *upstream, unsigned lane)
{
    return count_conns(upstream, lane, CONN_DIALING) + count_conns(upstream, lane, CONN_OPENING);
}

/* A connection ended before it took a stream, or could not be made. */
static void conn_failed(struct upstream *upstream, unsigned lane, const struct net_error *why)
{
    worker_endpoint_failed(upstream->worker, upstream->endpoint, why->text);
    if (count_opening(upstream, lane) == 0) {
        fail_lane(upstream, lane, why);
    }
}

static void on_ready(void *user)
{
    struct upstream_conn *conn = user;
    if (conn->state == CONN_OPENING) {
        set_state(conn, CONN_OPEN);
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
    serve_lane(conn->upstream, conn->lane);
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
    end_conn(conn);
}

static void on_closed(void *user, const struct net_error *why)
{
    struct upstream_conn *conn = user;
    struct upstream *upstream = conn->upstream;
    enum conn_state state = conn->state;
    unsigned lane = conn->lane;
    bool expected = state == CONN_ENDING || upstream->worker->draining || is_removed(upstream);
    atomic_fetch_sub(&upstream->endpoint->cx_active, 1);
    conn_free(conn);
    if (state == CONN_OPENING) {
        conn_failed(upstream, lane, why);
    } else if (!expected && lane == 0) {
        worker_endpoint_failed(upstream->worker, upstream->endpoint, why->text);
    }
    relay_ask_discovery(upstream->worker->relay);
    serve_lane(upstream, lane);
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
        conn_free(conn);
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
    config.limits.queued_total = &upstream->worker->queued_bytes;
    set_state(conn, CONN_OPENING);
    atomic_fetch_add(&upstream->endpoint->cx_active, 1);
    atomic_fetch_add(&upstream->endpoint->cx_total, 1);
    conn->conn = rpc_conn_new(stream, &config, &conn_events, conn);
}

static void dial(struct upstream *upstream, unsigned lane)
{
    const struct net_dial_config config = {
        .host = upstream->endpoint->name,
        .address = (const struct sockaddr *)&upstream->endpoint->address,
        .timeout_ms = UPSTREAM_CONNECT_TIMEOUT_MS,
    };
    struct upstream_conn *conn = conn_new(upstream, lane);
    conn->dial = net_dial_start(&upstream->worker->loop, &config, on_dialled, conn);
}

/* ---- requests -------------------------------------------------------------------------------- */

static struct upstream_conn *conn_with_room(struct upstream *upstream, unsigned lane)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &upstream->conns)
    {
        struct upstream_conn *conn = conn_at(node);
        if (conn->lane == lane && conn->state == CONN_OPEN &&
            h2_session_room(session_of(conn)) > 0) {
            return conn;
        }
    }
    return NULL;
}

/* The endpoint asked for a pause: more connections would not change its mind (RFC 9113 section 5.1.2). */
static bool is_paused(struct upstream *upstream, unsigned lane)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &upstream->conns)
    {
        struct upstream_conn *conn = conn_at(node);
        if (conn->lane == lane && conn->state == CONN_OPEN &&
            h2_session_peer_max_streams(session_of(conn)) == 0) {
            return true;
        }
    }
    return false;
}

/* Makes as many connections as those that wait will fill. */
static void grow(struct upstream *upstream, unsigned lane)
{
    uint32_t each = upstream->streams_per_conn;
    size_t wanted = (upstream->waiting_count[lane] + each - 1) / each;
    wanted = wanted < UPSTREAM_DIALS_MAX ? wanted : UPSTREAM_DIALS_MAX;
    if (is_paused(upstream, lane)) {
        return;
    }
    for (size_t opening = count_opening(upstream, lane);
         opening < wanted && upstream->conn_count < UPSTREAM_CONNS_MAX; opening++) {
        dial(upstream, lane);
    }
}

static void link_request(struct upstream_conn *conn, struct upstream_request *request)
{
    dequeue(request);
    request->upstream = conn->upstream;
    request->conn = conn;
    request->since_ms = now_ms(conn->upstream);
    list_append(&conn->requests, &request->node);
    conn->idle_since_ms = 0;
}

static void unlink_request(struct upstream_request *request)
{
    struct upstream_conn *conn = request->conn;
    list_remove(&request->node);
    list_remove(&request->reset_node);
    request->conn = NULL;
    request->upstream = NULL;
    request->stream = NULL;
    request->urgent = false;
    if (list_empty(&conn->requests)) {
        conn->idle_since_ms = now_ms(conn->upstream);
    }
}

static void open_on(struct upstream_conn *conn, struct upstream_request *request)
{
    struct upstream *upstream = conn->upstream;
    link_request(conn, request);
    int rv = request->events->on_ready(request, session_of(conn));
    if (rv == 0) {
        return;
    }
    unlink_request(request);
    if (rv == H2_E_NO_ROOM) { /* out of stream ids: finish this connection, use another */
        end_conn(conn);
        enqueue(upstream, request);
    }
}

static void serve_lane(struct upstream *upstream, unsigned lane)
{
    struct upstream_request *request;
    while ((request = first_waiting(upstream, lane)) != NULL) {
        struct upstream_conn *conn = conn_with_room(upstream, lane);
        if (conn == NULL) {
            grow(upstream, lane);
            return;
        }
        open_on(conn, request);
    }
}

void upstream_submit(struct upstream *upstream, struct upstream_request *request)
{
    enqueue(upstream, request);
    serve_lane(upstream, request->lane);
}

void upstream_closed(struct upstream_request *request)
{
    assert(request->conn != NULL);
    request->conn->ended_streams++;
    unlink_request(request);
}

/* ---- time ------------------------------------------------------------------------------------ */

/* Why nothing takes the requests that wait. */
static void explain_wait(struct upstream *upstream, unsigned lane, struct net_error *ret)
{
    const char *name = upstream->endpoint->name;
    if (is_paused(upstream, lane)) {
        net_error_set(ret, NET_TIMED_OUT,
                      "%s accepts no streams: its MAX_CONCURRENT_STREAMS is 0", name);
    } else if (count_opening(upstream, lane) > 0) {
        net_error_set(ret, NET_TIMED_OUT, "%s sent no HTTP/2 SETTINGS", name);
    } else {
        net_error_set(ret, NET_TIMED_OUT, "%s is full: %zu connections with %u streams each", name,
                      count_conns(upstream, lane, CONN_OPEN), upstream->streams_per_conn);
    }
}

static void fail_overdue(struct upstream *upstream)
{
    for (unsigned lane = 0; lane < RELAY_LANES; lane++) {
        struct upstream_request *request;
        while ((request = first_waiting(upstream, lane)) != NULL &&
               now_ms(upstream) - request->since_ms > UPSTREAM_QUEUE_MS) {
            struct net_error why;
            explain_wait(upstream, lane, &why);
            dequeue(request);
            request->events->on_failed(request, &why);
        }
    }
}

/* A peer that stopped answering health checks may be gone without a word: make each connection prove itself, once. */
static void probe_suspect(struct upstream *upstream)
{
    bool unhealthy = atomic_load(&upstream->endpoint->health) == ENDPOINT_UNHEALTHY;
    struct list *node;
    struct list *next;
    list_each(node, next, &upstream->conns)
    {
        if (unhealthy && !upstream->suspect && conn_at(node)->conn != NULL) {
            rpc_conn_check_alive(conn_at(node)->conn);
        }
    }
    upstream->suspect = unhealthy;
}

static bool is_needless(const struct upstream_conn *conn, uint64_t now)
{
    return conn->state == CONN_OPEN && conn->idle_since_ms != 0 &&
           now - conn->idle_since_ms >= UPSTREAM_IDLE_MS &&
           (conn->lane != 0 || count_conns(conn->upstream, conn->lane, CONN_OPEN) > 1);
}

static void tick_conns(struct upstream *upstream, uint64_t now)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &upstream->conns)
    {
        struct upstream_conn *conn = conn_at(node);
        upstream_ration_tick(conn, now);
        if (is_removed(upstream) || is_needless(conn, now)) {
            end_conn(conn);
        } else if (conn->state == CONN_OPEN) {
            upstream_unclog(conn, now);
        }
    }
}

static void free_when_idle(struct upstream *upstream)
{
    for (unsigned lane = 0; lane < RELAY_LANES; lane++) {
        if (!list_empty(&upstream->waiting[lane])) {
            return;
        }
    }
    if (list_empty(&upstream->conns)) {
        assert(list_empty(&upstream->resetting) && upstream->conn_count == 0);
        list_remove(&upstream->node);
        endpoint_unref(upstream->endpoint);
        free(upstream);
    }
}

void upstream_tick_all(struct worker *worker)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &worker->upstreams)
    {
        struct upstream *upstream = container_of(node, struct upstream, node);
        probe_suspect(upstream);
        tick_conns(upstream, worker_now_ms(worker));
        upstream_send_due_resets(upstream);
        fail_overdue(upstream);
        if (is_removed(upstream)) {
            free_when_idle(upstream);
        }
    }
}

/* ---- pools ----------------------------------------------------------------------------------- */

static struct upstream *upstream_new(struct worker *worker, struct endpoint *endpoint)
{
    struct upstream *upstream = mem_new(struct upstream);
    upstream->worker = worker;
    upstream->endpoint = endpoint_ref(endpoint);
    upstream->keepalive_ms = UPSTREAM_KEEPALIVE_MS;
    upstream->streams_per_conn = STREAMS_PER_CONN_GUESS;
    list_init(&upstream->conns);
    list_init(&upstream->resetting);
    for (unsigned lane = 0; lane < RELAY_LANES; lane++) {
        list_init(&upstream->waiting[lane]);
    }
    list_append(&worker->upstreams, &upstream->node);
    return upstream;
}

struct upstream *upstream_get(struct worker *worker, struct endpoint *endpoint)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &worker->upstreams)
    {
        struct upstream *upstream = container_of(node, struct upstream, node);
        if (upstream->endpoint == endpoint) {
            return upstream;
        }
    }
    return upstream_new(worker, endpoint);
}

static void close_conns(struct upstream *upstream)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &upstream->conns)
    {
        struct upstream_conn *conn = conn_at(node);
        if (conn->dial != NULL) {
            net_dial_cancel(conn->dial);
            conn_free(conn);
        } else {
            end_conn(conn);
            rpc_conn_close(conn->conn, H2_NO_ERROR, NULL);
        }
    }
}

void upstream_close_all(struct worker *worker)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &worker->upstreams)
    {
        struct upstream *upstream = container_of(node, struct upstream, node);
        close_conns(upstream);
        free_when_idle(upstream);
    }
}
