#include "relay/downstream.h"

#include "base/counter.h"
#include "base/mem.h"
#include "net/stream.h"
#include "relay/client.h"
#include "relay/exchange.h"
#include "relay/state.h"
#include "relay/stream_end.h"
#include "relay/stream_log.h"
#include "rpc/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct downstream {
    struct list node; /* worker->downstreams */
    struct client client;
};

static void on_request(void *user, struct h2_stream *stream, const struct h2_block *block,
                       bool end_stream)
{
    struct downstream *downstream = user;
    exchange_begin(&downstream->client, stream, block, end_stream);
}

/* A request that h2 does not deliver. A client that sent too much hears which limit it passed. */
static void on_refused(void *user, struct h2_stream *stream, enum h2_refusal refusal,
                       const struct h2_block *block, const char *why)
{
    struct downstream *downstream = user;
    struct worker *worker = downstream->client.worker;
    char text[RPC_MESSAGE_BYTES];
    snprintf(text, sizeof(text), "request refused: %s", why);
    counter_add(&worker->stats.rq_rejected, 1);
    worker_tell_client(worker, "request_refused", rpc_conn_peer(downstream->client.conn), text);
    struct reply_sent sent = REPLY_NOTHING;
    if (refusal == H2_BLOCK_OVERSIZED) {
        sent = reply_status(stream, reply_form_of(block), false, true, RPC_RESOURCE_EXHAUSTED,
                            "431", text);
    }
    stream_log_refused(
        &downstream->client, block,
        &(struct stream_end){STREAM_REJECTED, sent.grpc_status, sent.http_status, text});
}

/* What the proxy ended itself is counted and said; a client that leaves, or breaks off, is not. */
static void tell_why_ended(struct client *client, const struct net_error *why)
{
    struct worker_stats *stats = &client->worker->stats;
    const char *peer = rpc_conn_peer(client->conn);
    size_t named = strlen(peer);
    const char *text = why->text;
    if (strncmp(text, peer, named) == 0 && strncmp(text + named, ": ", 2) == 0) {
        text += named + 2; /* the line names it, too */
    }
    if (client->ended) {
        return; /* told when it was */
    }
    if (why->kind == NET_TIMED_OUT) {
        counter_add(&stats->downstream_cx_timed_out, 1);
        worker_tell_client(client->worker, "client_timed_out", peer, text);
    } else if (why->kind == NET_FAILED || why->kind == NET_TLS_FAILED) {
        counter_add(&stats->downstream_cx_ended, 1);
        worker_tell_client(client->worker, "client_ended", peer, text);
    }
}

static void on_closed(void *user, const struct net_error *why)
{
    struct downstream *downstream = user;
    struct worker *worker = downstream->client.worker;
    tell_why_ended(&downstream->client, why);
    counter_sub(&worker->stats.downstream_cx_active, 1);
    worker_connection_gone(worker);
    list_remove(&downstream->node);
    free(downstream->client.identity);
    free(downstream->client.name);
    client_deinit(&downstream->client);
    free(downstream);
}

static const struct rpc_conn_events conn_events = {
    .h2 = {.on_request = on_request, .on_refused = on_refused},
    .on_closed = on_closed,
};

void downstream_new(struct worker *worker, struct net_stream *stream)
{
    const struct relay_config *config = worker_config(worker);
    struct rpc_conn_config conn_config = {
        .role = H2_SERVER,
        .limits = H2_LIMITS_SERVER,
        .keepalive_ms = config->downstream_keepalive_ms,
        .keepalive_timeout_ms = RPC_KEEPALIVE_TIMEOUT_MS,
        .min_ping_interval_ms = DOWNSTREAM_MIN_PING_INTERVAL_MS,
    };
    conn_config.limits.max_concurrent_streams = config->max_streams;
    conn_config.limits.queued_total = &worker->queued_bytes;
    struct downstream *downstream = mem_new(struct downstream);
    client_init(&downstream->client, worker);
    list_append(&worker->downstreams, &downstream->node);
    counter_add(&worker->stats.downstream_cx_active, 1);
    counter_add(&worker->stats.downstream_cx_total, 1);
    if (config->forward_client_cert) {
        downstream->client.identity = net_stream_peer_identity(stream);
    }
    stream_log_client(&downstream->client, stream);
    downstream->client.conn = rpc_conn_new(stream, &conn_config, &conn_events, downstream);
    if (worker->draining) {
        rpc_conn_drain(downstream->client.conn, NULL);
    }
}

static void each_conn(struct worker *worker, void (*act)(struct rpc_conn *conn))
{
    struct list *node;
    struct list *next;
    list_each(node, next, &worker->downstreams)
    {
        act(container_of(node, struct downstream, node)->client.conn);
    }
}

static void drain_conn(struct rpc_conn *conn)
{
    rpc_conn_drain(conn, "proxy is shutting down");
}

void downstream_drain(struct client *client, const char *why)
{
    rpc_conn_drain(client->conn, why);
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
