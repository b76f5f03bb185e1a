#include "proxy/downstream.h"

#include "base/mem.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"
#include "proxy/reply.h"
#include "rpc/conn.h"
#include "rpc/metadata.h"

#include <stdlib.h>

struct downstream {
    struct list node; /* worker->downstreams */
    struct worker *worker;
    struct rpc_conn *conn;
};

static void on_request(void *user, struct h2_stream *stream, const struct h2_block *block,
                       bool end_stream)
{
    struct downstream *downstream = user;
    exchange_begin(downstream->worker, stream, block, end_stream);
}

static void on_refused(void *user, struct h2_stream *stream, enum h2_refusal refusal,
                       const struct h2_block *block, const char *why)
{
    (void)user;
    const struct h2_header *type = h2_block_find(block, "content-type", NULL);
    bool grpc = type != NULL && rpc_is_grpc_content_type(type->value, type->value_len);
    if (refusal == H2_BLOCK_OVERSIZED) {
        reply_status(stream, grpc, false, RPC_RESOURCE_EXHAUSTED, why);
    }
}

static void on_closed(void *user, const struct net_error *why)
{
    (void)why;
    struct downstream *downstream = user;
    atomic_fetch_sub(&downstream->worker->stats.downstream_cx_active, 1);
    list_remove(&downstream->node);
    free(downstream);
}

static const struct rpc_conn_events conn_events = {
    .h2 = {.on_request = on_request, .on_refused = on_refused},
    .on_closed = on_closed,
};

void downstream_new(struct worker *worker, struct net_stream *stream)
{
    const struct proxy_config *config = worker_config(worker);
    struct rpc_conn_config conn_config = {
        .role = H2_SERVER,
        .limits = H2_LIMITS_SERVER,
        .keepalive_ms = config->downstream_keepalive_ms,
        .keepalive_timeout_ms = RPC_KEEPALIVE_TIMEOUT_MS,
        .min_ping_interval_ms = PROXY_MIN_PING_INTERVAL_MS,
    };
    conn_config.limits.max_concurrent_streams = config->max_streams;
    struct downstream *downstream = mem_new(struct downstream);
    downstream->worker = worker;
    list_append(&worker->downstreams, &downstream->node);
    atomic_fetch_add(&worker->stats.downstream_cx_active, 1);
    atomic_fetch_add(&worker->stats.downstream_cx_total, 1);
    downstream->conn = rpc_conn_new(stream, &conn_config, &conn_events, downstream);
    if (worker->draining) {
        rpc_conn_drain(downstream->conn, NULL);
    }
}

static void each_conn(struct worker *worker, void (*act)(struct rpc_conn *conn))
{
    struct list *node;
    struct list *next;
    list_each(node, next, &worker->downstreams)
    {
        act(container_of(node, struct downstream, node)->conn);
    }
}

static void drain_conn(struct rpc_conn *conn)
{
    rpc_conn_drain(conn, "proxy is shutting down");
}

static void close_conn(struct rpc_conn *conn)
{
    rpc_conn_close(conn, H2_NO_ERROR, NULL);
}

void downstream_drain_all(struct worker *worker)
{
    each_conn(worker, drain_conn);
}

void downstream_close_all(struct worker *worker)
{
    each_conn(worker, close_conn);
}
