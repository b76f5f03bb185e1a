#include "relay/exchange.h"

#include "base/mem.h"
#include "base/text.h"
#include "relay/client.h"
#include "relay/counter.h"
#include "relay/headers.h"
#include "relay/observe.h"
#include "relay/router.h"
#include "relay/state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A stream's queue never holds more than the window of its sender; twice that is for our own arithmetic. */
#define QUEUE_CAP_BYTES (2 * (size_t)H2_STREAM_WINDOW_BYTES)

static const struct upstream_request_events request_events;
static const struct h2_stream_events upstream_events;
static const struct h2_stream_events downstream_events;

static void count(atomic_uint_fast64_t *counter)
{
    counter_add(counter, 1);
}

/* ---- state ----------------------------------------------------------------------------------- */

static void enter(struct exchange *exchange, enum exchange_state state)
{
    static const unsigned may_follow[] = {
        [EXCHANGE_ROUTING] = 1u << EXCHANGE_QUEUED | 1u << EXCHANGE_ENDING,
        [EXCHANGE_QUEUED] = 1u << EXCHANGE_QUEUED | 1u << EXCHANGE_OPEN | 1u << EXCHANGE_ENDING,
        [EXCHANGE_OPEN] = 1u << EXCHANGE_QUEUED | 1u << EXCHANGE_ANSWERING | 1u << EXCHANGE_ENDING,
        [EXCHANGE_ANSWERING] = 1u << EXCHANGE_ENDING,
        [EXCHANGE_ENDING] = 1u << EXCHANGE_GONE,
        [EXCHANGE_GONE] = 0,
    };
    assert((may_follow[exchange->state] & 1u << state) != 0);
    exchange->state = state;
}

static struct exchange *of_request(struct upstream_request *request)
{
    return container_of(request, struct exchange, upstream);
}

struct exchange *exchange_of(struct stream_record *record)
{
    return container_of(record, struct exchange, record);
}

/* ---- buffers --------------------------------------------------------------------------------- */

/* The worker's buffers are looked at when this turn of the loop ends. */
static void watch_buffers(struct exchange *exchange)
{
    struct worker *worker = exchange->worker;
    if (worker->queued_bytes > worker->queued_limit) {
        net_loop_flush_soon(&worker->loop, &worker->relief);
    }
}

/* What a retry would need; not needed once an answer has begun. */
static void forget_request(struct exchange *exchange)
{
    free(exchange->request);
    exchange->request = NULL;
    exchange->worker->queued_bytes -= exchange->replay.len;
    buf_deinit(&exchange->replay);
}

/* Keeps body bytes while a retry is possible. A body longer than a window gives up the retry; while no upstream stream is
 * open it is bounded by what was kept before and the client's window, because credit is given only as frames leave. */
static void keep_for_replay(struct exchange *exchange, const uint8_t *bytes, size_t len)
{
    if (exchange->request == NULL) {
        return;
    }
    bool queued = exchange->state == EXCHANGE_QUEUED;
    size_t cap = queued ? QUEUE_CAP_BYTES : H2_STREAM_WINDOW_BYTES;
    if (buf_append(&exchange->replay, bytes, len, cap) == 0) {
        exchange->worker->queued_bytes += len;
        return;
    }
    assert(!queued);
    forget_request(exchange);
}

static void return_credit(struct exchange *exchange, size_t len)
{
    size_t credit = len < exchange->credit_held ? len : exchange->credit_held;
    exchange->credit_held -= credit;
    if (exchange->downstream != NULL && credit > 0) {
        h2_stream_consume(exchange->downstream, credit);
    }
}

size_t exchange_held_bytes(const struct exchange *exchange)
{
    const struct h2_stream *up = exchange->upstream.stream;
    const struct h2_stream *down = exchange->downstream;
    return exchange->replay.len + (up != NULL ? h2_stream_queued_bytes(up) : 0) +
           (down != NULL ? h2_stream_queued_bytes(down) : 0);
}

/* ---- end ------------------------------------------------------------------------------------- */

static void leave_endpoint(struct exchange *exchange, bool served)
{
    observe_left(exchange->worker, &exchange->record, served);
    endpoint_unref(exchange->endpoint);
    exchange->endpoint = NULL;
}

static void leave_client(struct exchange *exchange)
{
    list_remove(&exchange->client_node);
    exchange->client = NULL;
    exchange->upstream.client = NULL;
}

/* Frees the exchange once neither side can call back. */
static void free_when_closed(struct exchange *exchange)
{
    struct worker *worker = exchange->worker;
    if (exchange->downstream != NULL || exchange->upstream.stream != NULL) {
        return;
    }
    assert(exchange->client == NULL && exchange->upstream.upstream == NULL);
    enter(exchange, EXCHANGE_GONE);
    leave_endpoint(exchange, true);
    streams_remove(&worker->streams, &exchange->record);
    counter_add(&worker->stats.downstream_rq_active, (uint64_t)-1);
    forget_request(exchange);
    free(exchange);
}

/* Withdraws from the endpoint's side, whatever it has come to. A young stream that is reset is trouble of the client's. */
static void end_upstream(struct exchange *exchange, uint32_t code)
{
    upstream_cancel(&exchange->upstream);
    if (exchange->upstream.stream == NULL) {
        return;
    }
    bool resets = !h2_stream_ended(exchange->upstream.stream) || code != H2_NO_ERROR;
    if (resets && upstream_is_young(&exchange->upstream)) {
        client_charge(exchange->client, CLIENT_YOUNG_RESET);
    }
    upstream_reset(&exchange->upstream, code);
}

/* The endpoint has answered in full and may wait for the request's end. An empty frame tells it without being counted as a
 * reset; what it did not read is dropped. */
static void finish_request(struct exchange *exchange)
{
    struct h2_stream *stream = exchange->upstream.stream;
    bool may_end = stream != NULL && !upstream_resets(&exchange->upstream);
    if (may_end && h2_stream_queued_bytes(stream) == 0) {
        h2_stream_end(stream);
    } else {
        end_upstream(exchange, H2_NO_ERROR);
    }
}

static void answer_http(struct exchange *exchange, enum rpc_code code, const char *http_status,
                        const char *message)
{
    bool begun = exchange->state == EXCHANGE_ANSWERING;
    if (exchange->state == EXCHANGE_ENDING) {
        end_upstream(exchange, H2_CANCEL);
        return;
    }
    enter(exchange, EXCHANGE_ENDING);
    end_upstream(exchange, H2_CANCEL);
    forget_request(exchange);
    if (exchange->downstream != NULL) {
        reply_status(exchange->downstream, exchange->reply_form, begun, code, http_status,
                     message);
    }
    return_credit(exchange, exchange->credit_held);
}

/* Ends the downstream side with a status and the upstream side, if any, with a reset. The exchange lives on until both have
 * closed. */
static void answer(struct exchange *exchange, enum rpc_code code, const char *message)
{
    answer_http(exchange, code, NULL, message);
}

void exchange_shut_down(struct exchange *exchange)
{
    answer(exchange, RPC_UNAVAILABLE, "proxy is shutting down");
}

void exchange_shed(struct exchange *exchange, const char *message)
{
    count(&exchange->worker->stats.rq_shed);
    if (exchange->upstream.stream != NULL) {
        return_credit(exchange, h2_stream_discard(exchange->upstream.stream));
    }
    if (exchange->downstream != NULL) {
        h2_stream_discard(exchange->downstream);
    }
    bool ended = exchange->state == EXCHANGE_ENDING;
    answer(exchange, RPC_RESOURCE_EXHAUSTED, message);
    if (ended && exchange->downstream != NULL) { /* its own end waited behind what was dropped */
        h2_stream_reset(exchange->downstream, H2_ENHANCE_YOUR_CALM);
    }
}

/* ---- towards the endpoint -------------------------------------------------------------------- */

static void connect_endpoint(struct exchange *exchange, const struct endpoint *avoid)
{
    struct worker *worker = exchange->worker;
    struct endpoint *endpoint = cluster_pick(exchange->cluster, exchange->hash, avoid);
    if (endpoint == NULL) {
        char cause[CLUSTER_CAUSE_BYTES];
        char message[RPC_MESSAGE_BYTES];
        snprintf(message, sizeof(message), "no healthy endpoint in cluster %.80s: %s",
                 exchange->cluster->name,
                 cluster_explain(exchange->cluster, cause, sizeof(cause)));
        count(&worker->stats.rq_unavailable);
        answer(exchange, RPC_UNAVAILABLE, message);
        return;
    }
    exchange->attempts++;
    exchange->endpoint = endpoint;
    observe_chosen(worker, &exchange->record, endpoint);
    enter(exchange, EXCHANGE_QUEUED);
    exchange->upstream.lane = exchange->client->lane;
    upstream_submit(upstream_get(worker, endpoint), &exchange->upstream);
}

static bool may_retry(const struct exchange *exchange)
{
    bool unanswered = exchange->state == EXCHANGE_QUEUED || exchange->state == EXCHANGE_OPEN;
    return unanswered && exchange->request != NULL && exchange->downstream != NULL &&
           exchange->attempts < EXCHANGE_ATTEMPTS && exchange->refusals < EXCHANGE_REFUSALS;
}

/* Tries another endpoint if the request provably was not looked at and is still known. Returns false when it may not. */
static bool retry(struct exchange *exchange)
{
    if (!may_retry(exchange)) {
        return false;
    }
    count(&exchange->worker->stats.retries);
    atomic_fetch_add(&exchange->cluster->retries, 1);
    struct endpoint *avoid = endpoint_ref(exchange->endpoint);
    leave_endpoint(exchange, false);
    connect_endpoint(exchange, avoid);
    endpoint_unref(avoid);
    return true;
}

/* A refusal says that this connection has no room, not that the endpoint is bad. */
static bool retry_refused(struct exchange *exchange)
{
    if (exchange->refusals < EXCHANGE_REFUSALS) {
        exchange->refusals++;
        exchange->attempts--;
    }
    return retry(exchange);
}

/* Gives what is known of the request body to the new upstream stream. A request without a body ends with an empty DATA frame,
 * as PROTOCOL-HTTP2 has it: some servers wait for ever on one that ends with its headers. */
static void send_known_body(struct exchange *exchange)
{
    struct h2_stream *stream = exchange->upstream.stream;
    if (exchange->replay.len > 0) {
        h2_stream_write(stream, buf_data(&exchange->replay), exchange->replay.len, QUEUE_CAP_BYTES);
    }
    if (exchange->request_ended) {
        h2_stream_end(stream);
    }
}

static void refuse_large_request(struct exchange *exchange, uint32_t limit_bytes)
{
    char message[RPC_MESSAGE_BYTES];
    snprintf(message, sizeof(message),
             "request metadata is larger than the limit of %u bytes towards cluster %.80s",
             limit_bytes, exchange->cluster->name);
    count(&exchange->worker->stats.rq_rejected);
    answer_http(exchange, RPC_RESOURCE_EXHAUSTED, "431", message);
}

static int on_upstream_ready(struct upstream_request *request, struct h2_session *session)
{
    struct exchange *exchange = of_request(request);
    int rv = h2_stream_open(session, exchange->request->fields, exchange->request->count, false,
                            &upstream_events, exchange, &request->stream);
    if (rv == 0) {
        enter(exchange, EXCHANGE_OPEN);
        send_known_body(exchange);
    } else if (rv == H2_E_HEADERS) {
        refuse_large_request(exchange, h2_session_peer_header_bytes(session));
    } else if (rv != H2_E_NO_ROOM) {
        answer(exchange, RPC_INTERNAL, "no memory for a stream to the endpoint");
    }
    return rv;
}

static void on_upstream_failed(struct upstream_request *request, const struct net_error *why)
{
    struct exchange *exchange = of_request(request);
    if (retry(exchange)) {
        return;
    }
    char message[RPC_MESSAGE_BYTES];
    snprintf(message, sizeof(message), "cluster %.80s: %.150s", exchange->cluster->name,
             why->text);
    count(&exchange->worker->stats.rq_unavailable);
    answer(exchange, RPC_UNAVAILABLE, message);
}

static void on_upstream_clogged(struct upstream_request *request)
{
    struct exchange *exchange = of_request(request);
    char message[RPC_MESSAGE_BYTES];
    snprintf(message, sizeof(message),
             "cluster %.80s: the endpoint does not read this stream and withholds the credit that "
             "others wait for",
             exchange->cluster->name);
    exchange_shed(exchange, message);
}

static const struct upstream_request_events request_events = {
    .on_ready = on_upstream_ready,
    .on_failed = on_upstream_failed,
    .on_clogged = on_upstream_clogged,
};

/* ---- from the endpoint ----------------------------------------------------------------------- */

/* The answer's metadata is more than the client takes. */
static void refuse_large_answer(struct exchange *exchange)
{
    char message[RPC_MESSAGE_BYTES];
    uint32_t limit = h2_session_peer_header_bytes(h2_stream_session(exchange->downstream));
    snprintf(message, sizeof(message),
             "the answer's metadata is larger than the client's limit of %u bytes", limit);
    answer(exchange, RPC_RESOURCE_EXHAUSTED, message);
}

static void pass_response(struct exchange *exchange, const struct h2_header *fields, size_t n,
                          bool end_stream)
{
    if (h2_stream_respond(exchange->downstream, fields, n, end_stream) == H2_E_HEADERS) {
        refuse_large_answer(exchange);
        return;
    }
    enter(exchange, EXCHANGE_ANSWERING);
    forget_request(exchange);
    if (end_stream) {
        enter(exchange, EXCHANGE_ENDING);
    }
}

static void pass_trailers(struct exchange *exchange, const struct h2_header *fields, size_t n)
{
    if (h2_stream_trailers(exchange->downstream, fields, n) == H2_E_HEADERS) {
        refuse_large_answer(exchange);
        return;
    }
    enter(exchange, EXCHANGE_ENDING);
}

static void on_upstream_block(void *user, enum h2_block_kind kind, const struct h2_block *block,
                              bool end_stream)
{
    struct exchange *exchange = user;
    struct h2_header fields[H2_HEADER_FIELDS];
    if (exchange->downstream == NULL || exchange->state == EXCHANGE_ENDING) {
        return;
    }
    size_t n = headers_pass(block, fields);
    if (kind == H2_BLOCK_INFORMATIONAL) {
        h2_stream_inform(exchange->downstream, fields, n);
    } else if (kind == H2_BLOCK_RESPONSE) {
        pass_response(exchange, fields, n, end_stream);
    } else {
        pass_trailers(exchange, fields, n);
    }
}

static void on_upstream_data(void *user, const uint8_t *bytes, size_t len)
{
    struct exchange *exchange = user;
    observe_down(exchange->worker, &exchange->record, bytes, len);
    if (exchange->downstream == NULL ||
        h2_stream_write(exchange->downstream, bytes, len, QUEUE_CAP_BYTES) != 0) {
        h2_stream_consume(exchange->upstream.stream, len);
        return;
    }
    watch_buffers(exchange);
}

static void on_upstream_end(void *user)
{
    struct exchange *exchange = user;
    if (exchange->downstream != NULL && exchange->state == EXCHANGE_ANSWERING) {
        h2_stream_end(exchange->downstream);
        enter(exchange, EXCHANGE_ENDING);
    }
}

/* Frames left towards the endpoint: the client may send as much again. */
static void on_upstream_sent(void *user, size_t len)
{
    return_credit(user, len);
}

/* What the endpoint's stream came to, in words, before it is gone. */
struct upstream_end {
    uint32_t error;
    bool broken;
    char text[RPC_MESSAGE_BYTES];
};

static void describe_end(const struct exchange *exchange, uint32_t error, struct upstream_end *ret)
{
    const struct h2_stream *stream = exchange->upstream.stream;
    const struct h2_session *session = h2_stream_session(stream);
    const char *fault = h2_stream_fault(stream);
    ret->error = error;
    ret->broken = error != H2_CONNECTION_LOST && fault != NULL;
    if (ret->broken) {
        snprintf(ret->text, sizeof(ret->text), "cluster %.80s: endpoint %s broke HTTP/2 or a limit: %.160s",
                 exchange->cluster->name, exchange->endpoint->name, fault);
    } else if (error == H2_CONNECTION_LOST) {
        const char *why = h2_session_goaway_text(session);
        why = why != NULL ? why : h2_session_reason(session);
        snprintf(ret->text, sizeof(ret->text),
                 "cluster %.80s: connection to endpoint %s was lost%s%.120s",
                 exchange->cluster->name, exchange->endpoint->name, why != NULL ? ": " : "",
                 why != NULL ? why : "");
    } else {
        const char *goaway = h2_session_goaway_text(session);
        snprintf(ret->text, sizeof(ret->text),
                 "cluster %.80s: endpoint %s refused the stream: %.120s", exchange->cluster->name,
                 exchange->endpoint->name, goaway != NULL ? goaway : h2_error_name(error));
    }
}

/* The endpoint's side is over before it answered in full. */
static void fail_downstream(struct exchange *exchange, const struct upstream_end *end)
{
    count(&exchange->worker->stats.rq_reset);
    atomic_fetch_add(&exchange->endpoint->rq_error, 1);
    if (end->broken) {
        answer(exchange, RPC_INTERNAL, end->text);
    } else if (end->error == H2_CONNECTION_LOST || end->error == H2_REFUSED_STREAM) {
        answer(exchange, RPC_UNAVAILABLE, end->text);
    } else {
        enter(exchange, EXCHANGE_ENDING);
        forget_request(exchange);
        h2_stream_reset(exchange->downstream, end->error);
        return_credit(exchange, exchange->credit_held);
    }
}

/* What the end of the endpoint's stream costs the client, and what it tells of the endpoint. */
static void judge_end(struct exchange *exchange, const struct upstream_end *end, bool unprocessed)
{
    bool by_endpoint = end->error != H2_NO_ERROR && exchange->state != EXCHANGE_ENDING;
    if (end->broken) {
        worker_endpoint_fault(exchange->worker, exchange->endpoint, end->text);
        client_charge(exchange->client, CLIENT_BROKEN_REPLY);
    } else if (end->error == H2_CONNECTION_LOST) {
        if (exchange->upstream.lane != 0) {
            client_charge(exchange->client, CLIENT_LANE_LOST);
        }
    } else if (by_endpoint && !unprocessed && upstream_is_young(&exchange->upstream)) {
        client_charge(exchange->client, CLIENT_YOUNG_RESET);
    }
}

static void on_upstream_close(void *user, uint32_t error, bool unprocessed)
{
    struct exchange *exchange = user;
    struct upstream_end end;
    describe_end(exchange, error, &end);
    judge_end(exchange, &end, unprocessed);
    upstream_closed(&exchange->upstream);
    bool open = exchange->state == EXCHANGE_OPEN || exchange->state == EXCHANGE_ANSWERING;
    if (open && !(unprocessed && retry_refused(exchange))) {
        fail_downstream(exchange, &end);
    }
    free_when_closed(exchange);
}

static const struct h2_stream_events upstream_events = {
    .on_block = on_upstream_block,
    .on_data = on_upstream_data,
    .on_end = on_upstream_end,
    .on_sent = on_upstream_sent,
    .on_close = on_upstream_close,
};

/* ---- from the client ------------------------------------------------------------------------- */

static void on_downstream_data(void *user, const uint8_t *bytes, size_t len)
{
    struct exchange *exchange = user;
    observe_up(exchange->worker, &exchange->record, bytes, len);
    if (exchange->state == EXCHANGE_ENDING) {
        h2_stream_consume(exchange->downstream, len);
        return;
    }
    keep_for_replay(exchange, bytes, len);
    exchange->credit_held += len;
    if (exchange->upstream.stream != NULL &&
        h2_stream_write(exchange->upstream.stream, bytes, len, QUEUE_CAP_BYTES) != 0) {
        /* the endpoint's side no longer takes a body: let the client go on until it hears why */
        return_credit(exchange, len);
    }
    watch_buffers(exchange);
}

static void on_downstream_end(void *user)
{
    struct exchange *exchange = user;
    exchange->request_ended = true;
    if (exchange->upstream.stream != NULL) {
        h2_stream_end(exchange->upstream.stream);
    }
}

/* Trailers of a request end it. gRPC defines none, and servers end the connection over them: they are not passed on. */
static void on_downstream_block(void *user, enum h2_block_kind kind, const struct h2_block *block,
                                bool end_stream)
{
    struct exchange *exchange = user;
    (void)kind;
    (void)block;
    (void)end_stream;
    count(&exchange->worker->stats.trailers_dropped);
    worker_tell_trailers(exchange->worker);
    on_downstream_end(exchange);
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
    struct exchange *exchange = user;
    (void)unprocessed;
    bool finished = error == H2_NO_ERROR && exchange->state == EXCHANGE_ENDING;
    bool has_code = error != H2_CONNECTION_LOST && error != H2_NO_ERROR;
    if (exchange->state != EXCHANGE_ENDING) {
        enter(exchange, EXCHANGE_ENDING);
    }
    if (error == H2_CONNECTION_LOST) { /* nobody is left to be charged */
        leave_client(exchange);
    }
    if (!finished) {
        end_upstream(exchange, has_code ? error : (uint32_t)H2_CANCEL);
    } else if (!exchange->request_ended) {
        finish_request(exchange);
    }
    if (exchange->client != NULL) {
        leave_client(exchange);
    }
    exchange->downstream = NULL;
    free_when_closed(exchange);
}

static const struct h2_stream_events downstream_events = {
    .on_block = on_downstream_block,
    .on_data = on_downstream_data,
    .on_end = on_downstream_end,
    .on_sent = on_downstream_sent,
    .on_close = on_downstream_close,
};

/* ---- begin ----------------------------------------------------------------------------------- */

static void set_label(char out[static STREAM_LABEL_BYTES], const struct h2_block *block,
                      const char *name)
{
    const struct h2_header *field = h2_block_find(block, name, NULL);
    if (field != NULL) {
        text_escape(out, STREAM_LABEL_BYTES, field->value, field->value_len);
    }
}

static void init_record(struct stream_record *record, const struct worker *worker,
                        const struct h2_block *block)
{
    record->number = relay_next_stream_number(worker->relay);
    record->opened_ms = worker_now_ms(worker);
    set_label(record->agent_id, block, "agent-id");
    set_label(record->agent_version, block, "agent-version");
    observe_request(record, block);
}

static struct exchange *exchange_new(struct client *client, struct h2_stream *downstream,
                                     const struct h2_block *block, bool end_stream)
{
    struct worker *worker = client->worker;
    struct exchange *exchange = mem_new(struct exchange);
    upstream_request_init(&exchange->upstream, &request_events);
    exchange->upstream.client = client;
    exchange->worker = worker;
    exchange->client = client;
    exchange->downstream = downstream;
    exchange->request_ended = end_stream;
    exchange->reply_form = reply_form_of(block);
    list_append(&client->exchanges, &exchange->client_node);
    init_record(&exchange->record, worker, block);
    streams_add(&worker->streams, &exchange->record);
    count(&worker->stats.downstream_rq_active);
    count(&worker->stats.downstream_rq_total);
    h2_stream_attach(downstream, &downstream_events, exchange);
    return exchange;
}

static void refuse(struct exchange *exchange, const struct router_decision *decision)
{
    struct worker_stats *stats = &exchange->worker->stats;
    count(decision->code == RPC_UNIMPLEMENTED ? &stats->rq_no_route
          : decision->code == RPC_UNAVAILABLE ? &stats->rq_unavailable
                                              : &stats->rq_rejected);
    answer(exchange, decision->code, decision->reason);
}

static void route(struct exchange *exchange, const struct h2_block *block)
{
    struct router_decision decision;
    router_decide(exchange->worker->relay, block, &decision);
    exchange->record.rule = decision.rule;
    if (decision.cluster == NULL) {
        refuse(exchange, &decision);
        return;
    }
    exchange->cluster = decision.cluster;
    exchange->hash = decision.hash;
    exchange->request = headers_make_request(block);
    if (exchange->request == NULL) {
        refuse_large_request(exchange, H2_HEADER_BLOCK_BYTES - RELAY_HEADER_MARGIN_BYTES);
    } else if (exchange->worker->draining) {
        exchange_shut_down(exchange);
    } else {
        connect_endpoint(exchange, NULL);
    }
}

void exchange_begin(struct client *client, struct h2_stream *downstream,
                    const struct h2_block *block, bool end_stream)
{
    struct exchange *exchange = exchange_new(client, downstream, block, end_stream);
    struct headers_refusal refusal;
    if (headers_check(block, &refusal)) {
        route(exchange, block);
        return;
    }
    count(&exchange->worker->stats.rq_rejected);
    answer_http(exchange, refusal.code, refusal.http_status, refusal.reason);
}
