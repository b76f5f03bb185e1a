/* Pools: who is served on which connection, and what time brings. */
#include "relay/upstream.h"

#include "base/mem.h"
#include "net/dial.h"
#include "relay/upstream_impl.h"
#include "rpc/conn.h"

#include <assert.h>
#include <stdlib.h>

#define STREAMS_PER_CONN_GUESS 100

static struct upstream_conn *conn_at(struct list *node)
{
    return container_of(node, struct upstream_conn, node);
}

/* ---- requests -------------------------------------------------------------------------------- */

/* Makes as many connections as those that wait will fill. */
static void grow(struct upstream *upstream, unsigned lane)
{
    uint32_t each = upstream->streams_per_conn;
    size_t wanted = (upstream->waiting_count[lane] + each - 1) / each;
    wanted = wanted < UPSTREAM_DIALS_MAX ? wanted : UPSTREAM_DIALS_MAX;
    if (upstream_is_paused(upstream, lane) ||
        (upstream_refuses(upstream, lane) && upstream->grew)) {
        return;
    }
    upstream->grew = true;
    for (size_t opening = upstream_count_opening(upstream, lane);
         opening < wanted && upstream->conn_count < UPSTREAM_CONNS_MAX; opening++) {
        upstream_dial(upstream, lane);
    }
}

static void open_on(struct upstream_conn *conn, struct upstream_request *request)
{
    struct upstream *upstream = conn->upstream;
    upstream_link(conn, request);
    int rv = request->events->on_ready(request, rpc_conn_session(conn->conn));
    if (rv == 0) {
        return;
    }
    upstream_unlink(request);
    if (rv == H2_E_NO_ROOM) { /* out of stream ids: finish this connection, use another */
        upstream_end_conn(conn);
        upstream_enqueue(upstream, request);
    }
}

static void serve_lane(struct upstream *upstream, unsigned lane)
{
    struct upstream_request *request;
    while ((request = upstream_next_waiting(upstream, lane)) != NULL) {
        struct upstream_conn *conn = upstream_conn_with_room(upstream, lane);
        if (conn == NULL) {
            grow(upstream, lane);
            return;
        }
        open_on(conn, request);
    }
}

void upstream_submit(struct upstream *upstream, struct upstream_request *request)
{
    upstream_enqueue(upstream, request);
    serve_lane(upstream, request->lane);
}

/* ---- time ------------------------------------------------------------------------------------ */

/* Why nothing takes the requests that wait. */
static void explain_wait(const struct upstream *upstream, unsigned lane, struct net_error *ret)
{
    const char *name = upstream->endpoint->name;
    if (upstream->resetting_young >= UPSTREAM_CROWDED_RESETS) {
        net_error_set(ret, NET_TIMED_OUT,
                      "%s is still busy with %zu streams that clients dropped at once", name,
                      upstream->resetting_young);
    } else if (upstream_is_paused(upstream, lane)) {
        net_error_set(ret, NET_TIMED_OUT, "%s accepts no streams: its MAX_CONCURRENT_STREAMS is 0",
                      name);
    } else if (upstream_count_opening(upstream, lane) > 0) {
        net_error_set(ret, NET_TIMED_OUT, "%s sent no HTTP/2 SETTINGS", name);
    } else {
        net_error_set(ret, NET_TIMED_OUT, "%s is full: %zu connections with %u streams each", name,
                      upstream_count_conns(upstream, lane, UPSTREAM_CONN_OPEN),
                      upstream->streams_per_conn);
    }
}

static void fail_overdue(struct upstream *upstream)
{
    for (unsigned lane = 0; lane < RELAY_LANES; lane++) {
        struct upstream_request *request;
        while ((request = upstream_first_waiting(upstream, lane)) != NULL &&
               worker_now_ms(upstream->worker) - request->since_ms > UPSTREAM_QUEUE_MS) {
            struct net_error why;
            explain_wait(upstream, lane, &why);
            upstream_dequeue(request);
            request->events->on_failed(request, &why);
        }
    }
}

/* A peer that left a health check unanswered may be gone without a word: make each connection prove
 * itself, once, also while the endpoint is not given up for it. */
static void probe_suspect(struct upstream *upstream)
{
    const struct endpoint *endpoint = upstream->endpoint;
    bool suspect = atomic_load(&endpoint->health) == ENDPOINT_UNHEALTHY ||
                   atomic_load(&endpoint->check_failures) > 0;
    struct list *node;
    struct list *next;
    list_each(node, next, &upstream->conns)
    {
        if (suspect && !upstream->suspect && conn_at(node)->conn != NULL) {
            rpc_conn_check_alive(conn_at(node)->conn);
        }
    }
    upstream->suspect = suspect;
}

static bool is_needless(const struct upstream_conn *conn, uint64_t now)
{
    return conn->state == UPSTREAM_CONN_OPEN && conn->idle_since_ms != 0 &&
           now - conn->idle_since_ms >= UPSTREAM_IDLE_MS &&
           (conn->lane != 0 || upstream_count_conns(conn->upstream, 0, UPSTREAM_CONN_OPEN) > 1);
}

/* Its streams all wait to be reset, and they are many: to end it costs no reset at all. So a fleet
 * that leaves at once is gone at once. */
static bool is_abandoned(const struct upstream_conn *conn)
{
    return conn->resetting_count >= UPSTREAM_ABANDONED_RESETS &&
           conn->resetting_count == conn->request_count;
}

static void tick_conns(struct upstream *upstream, uint64_t now)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &upstream->conns)
    {
        struct upstream_conn *conn = conn_at(node);
        upstream_ration_tick(conn);
        conn->refuses = false;
        if (is_abandoned(conn)) {
            upstream_end_conn(conn);
            rpc_conn_close(conn->conn, H2_NO_ERROR, "all clients of its streams are gone");
        } else if (upstream_is_removed(upstream) || is_needless(conn, now)) {
            upstream_end_conn(conn);
        } else if (conn->state == UPSTREAM_CONN_OPEN) {
            upstream_unclog(conn, now);
        }
    }
}

/* Connections that refused streams are asked again, and newcomers may have waited enough. */
static void serve_lanes(struct upstream *upstream)
{
    for (unsigned lane = 0; lane < RELAY_LANES; lane++) {
        if (upstream->waiting_count[lane] > 0) {
            serve_lane(upstream, lane);
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
        upstream->grew = false;
        serve_lanes(upstream);
        upstream_send_due_resets(upstream);
        fail_overdue(upstream);
        if (upstream_is_removed(upstream)) {
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
    upstream->on_room = serve_lane;
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
            upstream_conn_free(conn);
        } else {
            upstream_end_conn(conn);
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
