#include "proxy/upstream.h"

#include "base/log.h"
#include "base/mem.h"
#include "h2/budget.h"
#include "h2/limits.h"
#include "net/dial.h"
#include "net/stream.h"
#include "proxy/cluster.h"
#include "proxy/worker.h"
#include "rpc/conn.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct upstream {
    struct list node; /* worker->upstreams */
    struct worker *worker;
    struct endpoint *endpoint; /* owned reference */
    struct list conns;
    struct list waiting;   /* upstream_request.waiting */
    struct net_dial *dial; /* at most one at a time */
    struct list resetting; /* upstream_request.waiting, oldest first */
    struct h2_budget resets; /* of young streams */
    uint64_t keepalive_ms;
    bool suspect; /* the connections were probed since the endpoint became unhealthy */
};

struct upstream_conn {
    struct list node; /* upstream->conns */
    struct upstream *upstream;
    struct rpc_conn *conn;
    bool goaway; /* the peer announced the end */
};

static void serve_waiting(struct upstream *upstream);

/* ---- connections ----------------------------------------------------------------------------- */

static void on_block(void *user, enum h2_block_kind kind, const struct h2_block *block,
                     bool end_stream)
{
    struct upstream_request *request = user;
    request->events->on_block(request, kind, block, end_stream);
}

static void on_data(void *user, const uint8_t *bytes, size_t len)
{
    struct upstream_request *request = user;
    request->events->on_data(request, bytes, len);
}

static void on_end(void *user)
{
    struct upstream_request *request = user;
    request->events->on_end(request);
}

static void on_sent(void *user, size_t len)
{
    struct upstream_request *request = user;
    request->events->on_sent(request, len);
}

static void on_close(void *user, uint32_t error, bool unprocessed)
{
    struct upstream_request *request = user;
    list_remove(&request->waiting); /* of those whose reset waits */
    request->stream = NULL;
    request->upstream = NULL;
    request->events->on_close(request, error, unprocessed);
}

const struct h2_stream_events upstream_stream_events = {
    .on_block = on_block,
    .on_data = on_data,
    .on_end = on_end,
    .on_sent = on_sent,
    .on_close = on_close,
};

static void on_ready(void *user)
{
    struct upstream_conn *conn = user;
    serve_waiting(conn->upstream);
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
    conn->goaway = true;
    atomic_store(&upstream->endpoint->recheck, true);
    rpc_conn_drain(conn->conn, NULL);
}

static void on_closed(void *user, const struct net_error *why)
{
    struct upstream_conn *conn = user;
    struct upstream *upstream = conn->upstream;
    atomic_fetch_sub(&upstream->endpoint->cx_active, 1);
    bool expected = conn->goaway || upstream->worker->draining ||
                    atomic_load(&upstream->endpoint->removed);
    list_remove(&conn->node);
    free(conn);
    if (!expected) {
        worker_endpoint_failed(upstream->worker, upstream->endpoint, why->text);
    }
    worker_ask_discovery(upstream->worker);
    serve_waiting(upstream);
}

static const struct rpc_conn_events conn_events = {
    .h2 = {.on_goaway = on_goaway, .on_ready = on_ready, .on_room = on_ready},
    .on_closed = on_closed,
};

static void adopt(struct upstream *upstream, struct net_stream *stream)
{
    const struct rpc_conn_config config = {
        .role = H2_CLIENT,
        .limits = H2_LIMITS_CLIENT,
        .keepalive_ms = upstream->keepalive_ms,
        .keepalive_timeout_ms = PROXY_UPSTREAM_KEEPALIVE_TIMEOUT_MS,
    };
    struct upstream_conn *conn = mem_new(struct upstream_conn);
    conn->upstream = upstream;
    list_append(&upstream->conns, &conn->node);
    atomic_fetch_add(&upstream->endpoint->cx_active, 1);
    atomic_fetch_add(&upstream->endpoint->cx_total, 1);
    conn->conn = rpc_conn_new(stream, &config, &conn_events, conn);
}

static void fail_waiting(struct upstream *upstream, const struct net_error *why)
{
    struct list failed;
    list_take(&failed, &upstream->waiting);
    while (!list_empty(&failed)) {
        struct upstream_request *request =
            container_of(failed.next, struct upstream_request, waiting);
        list_remove(&request->waiting);
        request->upstream = NULL;
        request->events->on_failed(request, why);
    }
}

static void on_dialled(void *user, struct net_stream *stream, const struct net_error *error)
{
    struct upstream *upstream = user;
    upstream->dial = NULL;
    if (stream != NULL) {
        adopt(upstream, stream);
        serve_waiting(upstream);
        return;
    }
    atomic_fetch_add(&upstream->endpoint->cx_connect_fail, 1);
    worker_endpoint_failed(upstream->worker, upstream->endpoint, error->text);
    fail_waiting(upstream, error);
}

static void dial(struct upstream *upstream)
{
    if (upstream->dial != NULL) {
        return;
    }
    const struct net_dial_config config = {
        .host = upstream->endpoint->name,
        .address = (const struct sockaddr *)&upstream->endpoint->address,
        .timeout_ms = PROXY_CONNECT_TIMEOUT_MS,
    };
    upstream->dial = net_dial_start(&upstream->worker->loop, &config, on_dialled, upstream);
}

/* ---- requests -------------------------------------------------------------------------------- */

static bool is_starting(struct upstream *upstream)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &upstream->conns)
    {
        struct upstream_conn *conn = container_of(node, struct upstream_conn, node);
        if (conn->conn == NULL || !h2_session_ready(rpc_conn_session(conn->conn))) {
            return true;
        }
    }
    return false;
}

/* A connection that can take a stream now. */
static struct upstream_conn *conn_with_room(struct upstream *upstream)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &upstream->conns)
    {
        struct upstream_conn *conn = container_of(node, struct upstream_conn, node);
        if (conn->conn != NULL && h2_session_room(rpc_conn_session(conn->conn)) > 0) {
            return conn;
        }
    }
    return NULL;
}

static uint64_t now_ms(const struct upstream *upstream)
{
    return uv_now(&upstream->worker->loop.uv);
}

static void serve_waiting(struct upstream *upstream)
{
    while (!list_empty(&upstream->waiting)) {
        struct upstream_conn *conn = conn_with_room(upstream);
        if (conn == NULL) {
            if (!is_starting(upstream)) {
                dial(upstream);
            }
            return;
        }
        struct upstream_request *request =
            container_of(upstream->waiting.next, struct upstream_request, waiting);
        list_remove(&request->waiting);
        request->opened_ms = now_ms(upstream);
        int rv = request->events->on_ready(request, rpc_conn_session(conn->conn));
        if (rv == H2_E_NO_ROOM) { /* out of stream ids: finish this connection, use another */
            list_append(&upstream->waiting, &request->waiting);
            rpc_conn_drain(conn->conn, NULL);
        } else if (rv != 0) {
            struct net_error why;
            net_error_set(&why, NET_FAILED, "%s: cannot open a stream", upstream->endpoint->name);
            request->upstream = NULL;
            request->events->on_failed(request, &why);
        }
    }
}

void upstream_submit(struct upstream *upstream, struct upstream_request *request)
{
    request->upstream = upstream;
    request->stream = NULL;
    list_append(&upstream->waiting, &request->waiting);
    serve_waiting(upstream);
}

void upstream_cancel(struct upstream_request *request)
{
    if (request->stream == NULL) {
        list_remove(&request->waiting);
        request->upstream = NULL;
    }
}

/* ---- resets ---------------------------------------------------------------------------------- */

void upstream_reset(struct upstream_request *request, uint32_t code)
{
    struct upstream *upstream = request->upstream;
    if (request->stream == NULL || !list_empty(&request->waiting)) {
        return;
    }
    uint64_t now = now_ms(upstream);
    /* two tokens: half of what a server like ours allows */
    if (now - request->opened_ms >= PROXY_RESET_WAIT_MS ||
        h2_budget_spend(&upstream->resets, 2 * H2_BUDGET_MILLI, now)) {
        h2_stream_reset(request->stream, code);
        return;
    }
    request->reset_code = code;
    list_append(&upstream->resetting, &request->waiting);
}

static void send_due_resets(struct upstream *upstream)
{
    uint64_t now = now_ms(upstream);
    struct list *node;
    struct list *next;
    list_each(node, next, &upstream->resetting)
    {
        struct upstream_request *request = container_of(node, struct upstream_request, waiting);
        if (now - request->opened_ms >= PROXY_RESET_WAIT_MS) {
            list_remove(&request->waiting);
            h2_stream_reset(request->stream, request->reset_code);
        }
    }
}

/* ---- pools ----------------------------------------------------------------------------------- */

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
    struct upstream *upstream = mem_new(struct upstream);
    upstream->worker = worker;
    upstream->endpoint = endpoint_ref(endpoint);
    upstream->keepalive_ms = PROXY_UPSTREAM_KEEPALIVE_MS;
    list_init(&upstream->conns);
    list_init(&upstream->waiting);
    list_init(&upstream->resetting);
    h2_budget_init(&upstream->resets, now_ms(upstream));
    list_append(&worker->upstreams, &upstream->node);
    return upstream;
}

struct endpoint *upstream_endpoint(const struct upstream *upstream)
{
    return upstream->endpoint;
}

static void each_conn(struct upstream *upstream, void (*act)(struct rpc_conn *conn))
{
    struct list *node;
    struct list *next;
    list_each(node, next, &upstream->conns)
    {
        act(container_of(node, struct upstream_conn, node)->conn);
    }
}

static void drain_conn(struct rpc_conn *conn)
{
    rpc_conn_drain(conn, NULL);
}

static void close_conn(struct rpc_conn *conn)
{
    rpc_conn_close(conn, H2_NO_ERROR, NULL);
}

static void free_when_idle(struct upstream *upstream)
{
    if (list_empty(&upstream->conns) && list_empty(&upstream->waiting) && upstream->dial == NULL) {
        list_remove(&upstream->node);
        endpoint_unref(upstream->endpoint);
        free(upstream);
    }
}

/* A peer that stopped answering health checks may be gone without a word: make each connection prove itself, once. */
static void probe_suspect(struct upstream *upstream)
{
    bool unhealthy = atomic_load(&upstream->endpoint->health) == ENDPOINT_UNHEALTHY;
    if (unhealthy && !upstream->suspect) {
        each_conn(upstream, rpc_conn_check_alive);
    }
    upstream->suspect = unhealthy;
}

void upstream_tick_all(struct worker *worker)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &worker->upstreams)
    {
        struct upstream *upstream = container_of(node, struct upstream, node);
        probe_suspect(upstream);
        send_due_resets(upstream);
        if (atomic_load(&upstream->endpoint->removed)) {
            each_conn(upstream, drain_conn);
            free_when_idle(upstream);
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
        if (upstream->dial != NULL) {
            net_dial_cancel(upstream->dial);
            upstream->dial = NULL;
        }
        each_conn(upstream, close_conn);
        free_when_idle(upstream);
    }
}
