#include "proxy/exchange.h"

#include "base/mem.h"
#include "base/text.h"
#include "proxy/cluster.h"
#include "proxy/proxy.h"
#include "proxy/reply.h"
#include "proxy/router.h"
#include "proxy/worker.h"
#include "rpc/metadata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A stream's queue never holds more than the window of its sender; twice that is for our own arithmetic. */
#define QUEUE_CAP_BYTES (2 * (size_t)H2_STREAM_WINDOW_BYTES)

static const struct upstream_request_events upstream_events;
static const struct h2_stream_events downstream_events;

static void count(atomic_uint_fast64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void copy_label(char out[static EXCHANGE_LABEL_BYTES], const struct h2_block *block,
                       const char *name)
{
    const struct h2_header *field = h2_block_find(block, name, NULL);
    if (field != NULL) {
        text_escape(out, EXCHANGE_LABEL_BYTES, field->value, field->value_len);
    }
}

static bool is_grpc(const struct h2_block *block)
{
    const struct h2_header *type = h2_block_find(block, "content-type", NULL);
    return type != NULL && rpc_is_grpc_content_type(type->value, type->value_len);
}

static struct exchange *exchange_new(struct worker *worker, struct h2_stream *downstream,
                                     const struct h2_block *block, bool end_stream)
{
    struct exchange *exchange = mem_new(struct exchange);
    exchange->worker = worker;
    exchange->downstream = downstream;
    exchange->upstream.events = &upstream_events;
    list_init(&exchange->upstream.waiting);
    list_init(&exchange->node);
    exchange->request_ended = end_stream;
    exchange->end_in_headers = end_stream;
    exchange->grpc = is_grpc(block);
    exchange->opened_ms = uv_now(&worker->loop.uv);
    copy_label(exchange->agent_id, block, "agent-id");
    copy_label(exchange->agent_version, block, "agent-version");
    observe_request(exchange, block);
    h2_stream_attach(downstream, &downstream_events, exchange);
    return exchange;
}

/* What a retry would need; not needed once an answer has begun. */
static void forget_request(struct exchange *exchange)
{
    free(exchange->request);
    exchange->request = NULL;
    buf_deinit(&exchange->replay);
}

/* Under the worker's mutex while the exchange is listed. */
static void leave_endpoint(struct exchange *exchange)
{
    if (exchange->endpoint != NULL) {
        observe_left(exchange);
        atomic_fetch_sub(&exchange->endpoint->rq_active, 1);
        endpoint_unref(exchange->endpoint);
        exchange->endpoint = NULL;
    }
}

static void unlist(struct exchange *exchange)
{
    struct worker *worker = exchange->worker;
    pthread_mutex_lock(&worker->exchanges_mutex);
    worker_unlist(worker, &exchange->node);
    pthread_mutex_unlock(&worker->exchanges_mutex);
    atomic_fetch_sub_explicit(&worker->stats.downstream_rq_active, 1, memory_order_relaxed);
}

static void add_messages(struct exchange *exchange)
{
    uint64_t up = atomic_load(&exchange->up.messages);
    uint64_t down = atomic_load(&exchange->down.messages);
    if (exchange->endpoint != NULL) {
        atomic_fetch_add(&exchange->endpoint->messages_up, up);
        atomic_fetch_add(&exchange->endpoint->messages_down, down);
    }
}

/* Frees the exchange once neither side can call back. */
static void free_when_closed(struct exchange *exchange)
{
    if (exchange->downstream != NULL || exchange->upstream.stream != NULL) {
        return;
    }
    upstream_cancel(&exchange->upstream);
    unlist(exchange);
    add_messages(exchange);
    leave_endpoint(exchange);
    forget_request(exchange);
    free(exchange->request_trailers);
    free(exchange);
}

/* ---- the proxy's own answers ----------------------------------------------------------------- */

/* Ends the downstream side with a status and the upstream side, if any, with a reset. The exchange lives on until both have closed. */
static void answer(struct exchange *exchange, enum rpc_code code, const char *message)
{
    upstream_cancel(&exchange->upstream);
    upstream_reset(&exchange->upstream, H2_CANCEL);
    forget_request(exchange);
    if (exchange->downstream == NULL || exchange->answered_here) {
        return;
    }
    exchange->answered_here = true;
    if (!exchange->response_ended) {
        reply_status(exchange->downstream, exchange->grpc, exchange->response_begun, code, message);
        exchange->response_ended = true;
    }
    if (exchange->credit_held > 0) {
        h2_stream_consume(exchange->downstream, exchange->credit_held);
        exchange->credit_held = 0;
    }
}

void exchange_shut_down(struct exchange *exchange)
{
    answer(exchange, RPC_UNAVAILABLE, "proxy is shutting down");
}

/* ---- towards the endpoint -------------------------------------------------------------------- */

static void connect_endpoint(struct exchange *exchange, const struct endpoint *avoid)
{
    struct worker *worker = exchange->worker;
    struct endpoint *endpoint = cluster_pick(exchange->cluster, exchange->hash, avoid);
    if (endpoint == NULL) {
        char cause[PROXY_CAUSE_BYTES];
        char message[RPC_MESSAGE_BYTES];
        snprintf(message, sizeof(message), "no healthy endpoint in cluster %.80s: %s",
                 exchange->cluster->name,
                 cluster_explain(exchange->cluster, cause, sizeof(cause)));
        count(&worker->stats.rq_unavailable);
        answer(exchange, RPC_UNAVAILABLE, message);
        return;
    }
    exchange->attempts++;
    /* shown by /streams, hence under the mutex */
    pthread_mutex_lock(&worker->exchanges_mutex);
    exchange->endpoint = endpoint;
    observe_chosen(exchange);
    pthread_mutex_unlock(&worker->exchanges_mutex);
    atomic_fetch_add(&endpoint->rq_active, 1);
    atomic_fetch_add(&endpoint->rq_total, 1);
    upstream_submit(upstream_get(worker, endpoint), &exchange->upstream);
}

/* Tries another endpoint if the request provably was not looked at and is still known. Returns false when it may not. */
static bool retry(struct exchange *exchange)
{
    if (exchange->request == NULL || exchange->response_begun || exchange->downstream == NULL ||
        exchange->answered_here || exchange->attempts >= EXCHANGE_ATTEMPTS) {
        return false;
    }
    count(&exchange->worker->stats.retries);
    atomic_fetch_add(&exchange->cluster->retries, 1);
    struct endpoint *avoid = endpoint_ref(exchange->endpoint);
    pthread_mutex_lock(&exchange->worker->exchanges_mutex);
    leave_endpoint(exchange);
    pthread_mutex_unlock(&exchange->worker->exchanges_mutex);
    connect_endpoint(exchange, avoid);
    endpoint_unref(avoid);
    return true;
}

/* Gives what is known of the request body to the new upstream stream. */
static void send_known_body(struct exchange *exchange)
{
    struct h2_stream *stream = exchange->upstream.stream;
    if (exchange->replay.len > 0) {
        h2_stream_write(stream, buf_data(&exchange->replay), exchange->replay.len, QUEUE_CAP_BYTES);
    }
    if (exchange->request_trailers != NULL) {
        h2_stream_trailers(stream, exchange->request_trailers->fields,
                           exchange->request_trailers->count);
    } else if (exchange->request_ended && !exchange->end_in_headers) {
        h2_stream_end(stream);
    }
}

static int on_upstream_ready(struct upstream_request *request, struct h2_session *session)
{
    struct exchange *exchange = container_of(request, struct exchange, upstream);
    int rv = h2_stream_open(session, exchange->request->fields, exchange->request->count,
                            exchange->end_in_headers, &upstream_stream_events, request,
                            &request->stream);
    if (rv == 0) {
        send_known_body(exchange);
    }
    return rv;
}

static void on_upstream_failed(struct upstream_request *request, const struct net_error *why)
{
    struct exchange *exchange = container_of(request, struct exchange, upstream);
    if (retry(exchange)) {
        return;
    }
    char message[RPC_MESSAGE_BYTES];
    snprintf(message, sizeof(message), "cluster %.80s: %.150s", exchange->cluster->name,
             why->text);
    count(&exchange->worker->stats.rq_unavailable);
    answer(exchange, RPC_UNAVAILABLE, message);
}

/* ---- from the endpoint ----------------------------------------------------------------------- */

static void on_upstream_block(struct upstream_request *request, enum h2_block_kind kind,
                              const struct h2_block *block, bool end_stream)
{
    struct exchange *exchange = container_of(request, struct exchange, upstream);
    if (exchange->downstream == NULL || exchange->answered_here) {
        return;
    }
    struct h2_header fields[H2_HEADER_FIELDS];
    size_t field_count = proxy_headers_filter(block, fields);
    exchange->response_ended = end_stream;
    switch (kind) {
    case H2_BLOCK_INFORMATIONAL:
        h2_stream_inform(exchange->downstream, fields, field_count);
        return;
    case H2_BLOCK_RESPONSE:
        exchange->response_begun = true;
        forget_request(exchange);
        h2_stream_respond(exchange->downstream, fields, field_count, end_stream);
        return;
    case H2_BLOCK_TRAILERS:
        h2_stream_trailers(exchange->downstream, fields, field_count);
        return;
    case H2_BLOCK_REQUEST:
        return;
    }
}

static void on_upstream_data(struct upstream_request *request, const uint8_t *bytes, size_t len)
{
    struct exchange *exchange = container_of(request, struct exchange, upstream);
    observe_down(exchange, message_count_add(&exchange->down, bytes, len), bytes, len);
    if (exchange->downstream == NULL ||
        h2_stream_write(exchange->downstream, bytes, len, QUEUE_CAP_BYTES) != 0) {
        h2_stream_consume(request->stream, len);
    }
}

static void on_upstream_end(struct upstream_request *request)
{
    struct exchange *exchange = container_of(request, struct exchange, upstream);
    exchange->response_ended = true;
    if (exchange->downstream != NULL) {
        h2_stream_end(exchange->downstream);
    }
}

/* Frames left towards the endpoint: the client may send as much again. */
static void on_upstream_sent(struct upstream_request *request, size_t len)
{
    struct exchange *exchange = container_of(request, struct exchange, upstream);
    size_t credit = len < exchange->credit_held ? len : exchange->credit_held;
    if (exchange->downstream != NULL && credit > 0) {
        exchange->credit_held -= credit;
        h2_stream_consume(exchange->downstream, credit);
    }
}

/* The endpoint's side is over before it answered in full. */
static void fail_downstream(struct exchange *exchange, uint32_t error)
{
    count(&exchange->worker->stats.rq_reset);
    atomic_fetch_add(&exchange->endpoint->rq_error, 1);
    if (error == H2_CONNECTION_LOST) {
        char message[RPC_MESSAGE_BYTES];
        snprintf(message, sizeof(message), "cluster %.80s: connection to endpoint %s was lost",
                 exchange->cluster->name, exchange->endpoint->name);
        answer(exchange, RPC_UNAVAILABLE, message);
    } else {
        exchange->answered_here = true;
        h2_stream_reset(exchange->downstream, error);
    }
}

static void on_upstream_close(struct upstream_request *request, uint32_t error, bool unprocessed)
{
    struct exchange *exchange = container_of(request, struct exchange, upstream);
    bool open = exchange->downstream != NULL && !exchange->answered_here &&
                (!exchange->response_ended || !exchange->response_begun);
    if (open && !(unprocessed && retry(exchange))) {
        fail_downstream(exchange, error);
    }
    free_when_closed(exchange);
}

static const struct upstream_request_events upstream_events = {
    .on_ready = on_upstream_ready,
    .on_failed = on_upstream_failed,
    .on_block = on_upstream_block,
    .on_data = on_upstream_data,
    .on_end = on_upstream_end,
    .on_sent = on_upstream_sent,
    .on_close = on_upstream_close,
};

/* ---- from the client ------------------------------------------------------------------------- */

static void list_exchange(struct exchange *exchange)
{
    struct worker *worker = exchange->worker;
    exchange->number = proxy_next_stream_number(worker->proxy);
    pthread_mutex_lock(&worker->exchanges_mutex);
    list_append(&worker->exchanges, &exchange->node);
    worker->exchange_count++;
    pthread_mutex_unlock(&worker->exchanges_mutex);
    count(&worker->stats.downstream_rq_active);
    count(&worker->stats.downstream_rq_total);
}

static void count_refusal(struct worker *worker, enum rpc_code code)
{
    count(code == RPC_UNIMPLEMENTED ? &worker->stats.rq_no_route
          : code == RPC_UNAVAILABLE ? &worker->stats.rq_unavailable
                                    : &worker->stats.rq_rejected);
}

void exchange_begin(struct worker *worker, struct h2_stream *downstream,
                    const struct h2_block *block, bool end_stream)
{
    struct router_decision decision = {.code = RPC_INVALID_ARGUMENT};
    const char *malformed = proxy_headers_check(block);
    if (malformed != NULL) {
        snprintf(decision.reason, sizeof(decision.reason), "%s", malformed);
    } else {
        router_decide(worker->proxy, block, &decision);
    }
    struct exchange *exchange = exchange_new(worker, downstream, block, end_stream);
    list_exchange(exchange);
    if (decision.cluster == NULL) {
        count_refusal(worker, decision.code);
        answer(exchange, decision.code, decision.reason);
    } else if (worker->draining) {
        exchange_shut_down(exchange);
    } else {
        exchange->cluster = decision.cluster;
        exchange->hash = decision.hash;
        exchange->request = proxy_headers_copy(block);
        connect_endpoint(exchange, NULL);
    }
}

/* Keeps body bytes while a retry is possible. A body longer than a window gives up the retry; while no upstream stream is open it is
 * bounded by what was kept before and the client's window, because credit is given only as frames leave. */
static void keep_for_replay(struct exchange *exchange, const uint8_t *bytes, size_t len)
{
    size_t cap = exchange->upstream.stream != NULL ? H2_STREAM_WINDOW_BYTES : QUEUE_CAP_BYTES;
    if (exchange->request != NULL && buf_append(&exchange->replay, bytes, len, cap) != 0) {
        forget_request(exchange);
    }
}

static void on_downstream_data(void *user, const uint8_t *bytes, size_t len)
{
    struct exchange *exchange = user;
    observe_up(exchange, message_count_add(&exchange->up, bytes, len));
    if (exchange->answered_here) {
        h2_stream_consume(exchange->downstream, len);
        return;
    }
    keep_for_replay(exchange, bytes, len);
    exchange->credit_held += len;
    if (exchange->upstream.stream == NULL) {
        return;
    }
    if (h2_stream_write(exchange->upstream.stream, bytes, len, QUEUE_CAP_BYTES) != 0) {
        /* the endpoint's side no longer takes a body: let the client go on until it hears why */
        exchange->credit_held -= len;
        h2_stream_consume(exchange->downstream, len);
    }
}

static void on_downstream_end(void *user)
{
    struct exchange *exchange = user;
    exchange->request_ended = true;
    if (exchange->upstream.stream != NULL) {
        h2_stream_end(exchange->upstream.stream);
    }
}

static void on_downstream_trailers(void *user, enum h2_block_kind kind,
                                   const struct h2_block *block, bool end_stream)
{
    (void)kind;
    (void)end_stream;
    struct exchange *exchange = user;
    exchange->request_ended = true;
    struct proxy_headers *trailers = proxy_headers_copy(block);
    if (exchange->upstream.stream != NULL) {
        h2_stream_trailers(exchange->upstream.stream, trailers->fields, trailers->count);
    }
    free(exchange->request_trailers);
    exchange->request_trailers = trailers;
}

static void on_downstream_sent(void *user, size_t len)
{
    struct exchange *exchange = user;
    if (exchange->upstream.stream != NULL) {
        h2_stream_consume(exchange->upstream.stream, len);
    }
}

static void on_downstream_close(void *user, uint32_t error, bool unprocessed)
{
    (void)unprocessed;
    struct exchange *exchange = user;
    exchange->downstream = NULL;
    upstream_cancel(&exchange->upstream);
    if (exchange->upstream.stream != NULL) {
        bool finished = error == H2_NO_ERROR && exchange->response_ended;
        uint32_t code = error == H2_CONNECTION_LOST || error == H2_NO_ERROR ? (uint32_t)H2_CANCEL
                                                                           : error;
        if (!finished || !exchange->request_ended) {
            upstream_reset(&exchange->upstream, finished ? (uint32_t)H2_NO_ERROR : code);
        }
    }
    free_when_closed(exchange);
}

static const struct h2_stream_events downstream_events = {
    .on_block = on_downstream_trailers,
    .on_data = on_downstream_data,
    .on_end = on_downstream_end,
    .on_sent = on_downstream_sent,
    .on_close = on_downstream_close,
};
