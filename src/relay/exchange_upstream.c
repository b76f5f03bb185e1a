/* The endpoint's side of an exchange: where it goes, again perhaps, and what comes from there. */
#include "relay/exchange_impl.h"

#include "base/counter.h"
#include "base/mem.h"
#include "relay/client.h"
#include "relay/headers.h"
#include "relay/observe.h"
#include "relay/state.h"

#include <stdio.h>
#include <string.h>

static const struct h2_stream_events upstream_events;

static struct exchange *of_request(struct upstream_request *request)
{
    return container_of(request, struct exchange, upstream);
}

/* ---- towards the endpoint -------------------------------------------------------------------- */

/* Takes the reference. */
static void go_to(struct exchange *exchange, struct endpoint *endpoint)
{
    struct worker *worker = exchange->worker;
    exchange->attempts++;
    exchange->endpoint = endpoint;
    observe_chosen(worker, &exchange->record, endpoint);
    exchange_enter(exchange, EXCHANGE_QUEUED);
    exchange->upstream.lane = exchange->client->lane;
    upstream_submit(upstream_get(worker, endpoint), &exchange->upstream);
}

void exchange_connect(struct exchange *exchange)
{
    char cause[ENDPOINT_CAUSE_BYTES];
    char message[RPC_MESSAGE_BYTES];
    struct endpoint *endpoint = cluster_pick(exchange->cluster, exchange->hash, NULL);
    if (endpoint != NULL) {
        go_to(exchange, endpoint);
        return;
    }
    snprintf(message, sizeof(message), "no healthy endpoint in cluster %.80s: %s",
             exchange->cluster->name, cluster_explain(exchange->cluster, cause, sizeof(cause)));
    counter_add(&exchange->worker->stats.rq_unavailable, 1);
    exchange_answer(exchange, STREAM_NO_ENDPOINT, RPC_UNAVAILABLE, message);
}

static bool may_retry(const struct exchange *exchange)
{
    bool unanswered = exchange->state == EXCHANGE_QUEUED || exchange->state == EXCHANGE_OPEN;
    return unanswered && exchange->request != NULL && exchange->downstream != NULL &&
           exchange->attempts < EXCHANGE_ATTEMPTS && exchange->refusals < EXCHANGE_REFUSALS;
}

/* The endpoint that it was to leave, it has left. */
static void forget_leaving(struct exchange *exchange)
{
    if (leave_counts(exchange->leaving)) {
        exchange->leaving = LEAVE_NOT;
        exchange->worker->leaving--;
    }
}

/* Tries again, on another endpoint if there is one, if the request provably was not looked at and
 * is still known. Returns false when it may not. `same`: the same endpoint may do. */
static bool retry(struct exchange *exchange, bool same)
{
    if (!may_retry(exchange)) {
        return false;
    }
    struct endpoint *next = cluster_pick(exchange->cluster, exchange->hash, exchange->endpoint);
    if (next == NULL || (next == exchange->endpoint && !same)) {
        endpoint_unref(next);
        return false;
    }
    counter_add(&exchange->worker->stats.retries, 1);
    atomic_fetch_add(&exchange->cluster->retries, 1);
    if (next != exchange->endpoint) {
        forget_leaving(exchange);
    }
    exchange_leave_endpoint(exchange);
    go_to(exchange, next);
    return true;
}

/* A refusal says that this connection has no room, not that the endpoint is bad. */
static bool retry_refused(struct exchange *exchange)
{
    if (exchange->refusals < EXCHANGE_REFUSALS) {
        exchange->refusals++;
        exchange->attempts--;
    }
    return retry(exchange, true);
}

/* Gives what is known of the request body to the new upstream stream. A request without a body ends
 * with an empty DATA frame, as PROTOCOL-HTTP2 has it: some servers wait for ever on one that ends
 * with its headers. */
static void send_known_body(struct exchange *exchange)
{
    struct h2_stream *stream = exchange->upstream.stream;
    if (exchange->replay.len > 0) {
        h2_stream_write(stream, buf_data(&exchange->replay), exchange->replay.len,
                        EXCHANGE_QUEUE_BYTES);
    }
    if (exchange->request_ended) {
        h2_stream_end(stream);
    }
    if (exchange->replay.len > H2_STREAM_WINDOW_BYTES) { /* as of what comes from now on */
        exchange_forget_request(exchange);
    }
}

void exchange_refuse_large(struct exchange *exchange, uint32_t limit_bytes)
{
    char message[RPC_MESSAGE_BYTES];
    snprintf(message, sizeof(message),
             "request metadata is larger than the limit of %u bytes towards cluster %.80s",
             limit_bytes, exchange->cluster->name);
    counter_add(&exchange->worker->stats.rq_rejected, 1);
    exchange_answer_http(exchange, STREAM_REJECTED, RPC_RESOURCE_EXHAUSTED, "431", message);
}

/* Another stream of the client's on the same connection; NULL: none. */
static struct h2_stream *find_sibling(const struct exchange *exchange)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &exchange->client->exchanges)
    {
        struct exchange *other = container_of(node, struct exchange, client_node);
        if (other != exchange && other->upstream.stream != NULL &&
            other->upstream.conn == exchange->upstream.conn) {
            return other->upstream.stream;
        }
    }
    return NULL;
}

/* What one client does not read is one account, on however many streams. */
static void join_siblings(struct exchange *exchange)
{
    struct h2_stream *sibling = find_sibling(exchange);
    if (sibling != NULL) {
        h2_stream_join(exchange->upstream.stream, sibling);
    }
}

static int on_upstream_ready(struct upstream_request *request, struct h2_session *session)
{
    struct exchange *exchange = of_request(request);
    int rv = h2_stream_open(session, exchange->request->fields, exchange->request->count, false,
                            &upstream_events, exchange, &request->stream);
    if (rv == 0) {
        exchange_enter(exchange, EXCHANGE_OPEN);
        observe_sending(exchange->worker, &exchange->record);
        join_siblings(exchange);
        send_known_body(exchange);
    } else if (rv == H2_E_HEADERS) {
        exchange_refuse_large(exchange, h2_session_peer_header_bytes(session));
    } else if (rv != H2_E_NO_ROOM) {
        exchange_answer(exchange, STREAM_SHED, RPC_INTERNAL,
                        "no memory for a stream to the endpoint");
    }
    return rv;
}

static void on_upstream_failed(struct upstream_request *request, const struct net_error *why)
{
    struct exchange *exchange = of_request(request);
    if (retry(exchange, false)) {
        return;
    }
    char message[RPC_MESSAGE_BYTES];
    snprintf(message, sizeof(message), "cluster %.80s: %.150s", exchange->cluster->name, why->text);
    counter_add(&exchange->worker->stats.rq_unavailable, 1);
    exchange_answer(exchange, STREAM_UNREACHABLE, RPC_UNAVAILABLE, message);
}

static void on_upstream_clogged(struct upstream_request *request)
{
    struct exchange *exchange = of_request(request);
    char message[RPC_MESSAGE_BYTES];
    snprintf(message, sizeof(message),
             "cluster %.80s: the endpoint does not read this stream and withholds the credit that "
             "others wait for",
             exchange->cluster->name);
    exchange_shed(exchange, STREAM_CLOGGED, message);
}

static uint64_t unanswered(const struct upstream_request *request)
{
    const struct exchange *exchange = container_of(request, struct exchange, upstream);
    return observe_unanswered(&exchange->record);
}

const struct upstream_request_events exchange_request_events = {
    .on_ready = on_upstream_ready,
    .on_failed = on_upstream_failed,
    .on_clogged = on_upstream_clogged,
    .unanswered = unanswered,
};

/* ---- from the endpoint ----------------------------------------------------------------------- */

/* The answer's metadata is more than the client takes. */
static void refuse_large_answer(struct exchange *exchange)
{
    char message[RPC_MESSAGE_BYTES];
    uint32_t limit = h2_session_peer_header_bytes(h2_stream_session(exchange->downstream));
    snprintf(message, sizeof(message),
             "the answer's metadata is larger than the client's limit of %u bytes", limit);
    exchange_answer(exchange, STREAM_LARGE_ANSWER, RPC_RESOURCE_EXHAUSTED, message);
}

/* The endpoint has answered in full; `fields` are its last. */
static void complete(struct exchange *exchange, const struct h2_header *fields, size_t n)
{
    exchange->end.grpc_status = headers_number(fields, n, "grpc-status", RPC_UNAUTHENTICATED);
    exchange_end(exchange, exchange->end.grpc_status < 0 ? STREAM_NO_STATUS : STREAM_COMPLETED,
                 NULL);
}

/* `fields` has room for what the rule adds. */
static void pass_response(struct exchange *exchange, struct h2_header *fields, size_t n,
                          bool end_stream)
{
    const struct route_modifier *modifier = &exchange->record.rule->response;
    n = headers_modify(modifier, fields, n);
    if (modifier->count > 0 && !headers_fit(fields, n)) {
        exchange_answer(exchange, STREAM_LARGE_ANSWER, RPC_RESOURCE_EXHAUSTED,
                        "with what the routes add, the answer's metadata is larger than the limit "
                        "of 16384 bytes and 100 fields");
        return;
    }
    if (h2_stream_respond(exchange->downstream, fields, n, end_stream) == H2_E_HEADERS) {
        refuse_large_answer(exchange);
        return;
    }
    int status = headers_number(fields, n, ":status", 999);
    exchange->end.http_status = status > 0 ? (unsigned)status : 0;
    exchange_enter(exchange, EXCHANGE_ANSWERING);
    exchange_forget_request(exchange);
    if (end_stream) {
        complete(exchange, fields, n);
    }
}

static void pass_trailers(struct exchange *exchange, const struct h2_header *fields, size_t n)
{
    if (h2_stream_trailers(exchange->downstream, fields, n) == H2_E_HEADERS) {
        refuse_large_answer(exchange);
        return;
    }
    complete(exchange, fields, n);
}

static void on_upstream_block(void *user, enum h2_block_kind kind, const struct h2_block *block,
                              bool end_stream)
{
    struct exchange *exchange = user;
    struct h2_header fields[H2_HEADER_FIELDS + RELAY_HEADER_ADDED_MAX];
    if (exchange->downstream == NULL || exchange->state == EXCHANGE_ENDING) {
        return;
    }
    size_t n = headers_pass(block, fields);
    if (kind == H2_BLOCK_INFORMATIONAL) {
        h2_stream_inform(exchange->downstream, fields, n);
    } else if (kind == H2_BLOCK_RESPONSE) {
        observe_response(&exchange->record, block);
        pass_response(exchange, fields, n, end_stream);
    } else {
        pass_trailers(exchange, fields, n);
    }
    exchange_watch_buffers(exchange);
}

/* The moment between two messages may be now, and over when the next look at all comes. */
static void note_answer(struct exchange *exchange)
{
    struct worker *worker = exchange->worker;
    if (exchange->leaving != LEAVE_NOT && list_empty(&exchange->answered_node)) {
        list_append(&worker->answered, &exchange->answered_node);
        net_loop_flush_soon(&worker->loop, &worker->answered_flush);
    }
}

static void on_upstream_data(void *user, const uint8_t *bytes, size_t len)
{
    struct exchange *exchange = user;
    observe_down(exchange->worker, &exchange->record, bytes, len);
    note_answer(exchange);
    struct h2_stream *downstream = exchange->downstream;
    int rv = downstream != NULL ? h2_stream_write(downstream, bytes, len, EXCHANGE_QUEUE_BYTES)
                                : H2_E_CLOSED;
    if (rv != 0) {
        h2_stream_consume(exchange->upstream.stream, len);
    }
    if (rv != 0 && rv != H2_E_CLOSED) { /* a gap in the answer must not pass for the answer */
        exchange_answer(exchange, STREAM_SHED, RPC_RESOURCE_EXHAUSTED, "no memory for the answer");
    }
    exchange_watch_buffers(exchange);
}

static void on_upstream_end(void *user)
{
    struct exchange *exchange = user;
    if (exchange->downstream != NULL && exchange->state == EXCHANGE_ANSWERING) {
        h2_stream_end(exchange->downstream);
        complete(exchange, NULL, 0);
    }
}

/* Frames left towards the endpoint: the client may send as much again. */
static void on_upstream_sent(void *user, size_t len)
{
    exchange_return_credit(user, len);
}

/* What the endpoint's stream came to, before it is gone. */
struct upstream_end {
    uint32_t error;
    bool broken; /* the stream's answer breaks HTTP/2 or a limit */
    enum stream_reason reason;
    char text[RPC_MESSAGE_BYTES]; /* empty for a regular end, or a reset that is passed on */
};

/* Who ended the connection, and in whose words. */
static void describe_loss(const struct exchange *exchange, struct upstream_end *ret)
{
    const struct h2_session *session = h2_stream_session(exchange->upstream.stream);
    enum h2_blame blame = h2_session_blame(session);
    const char *reason = h2_session_reason(session);
    const char *goaway = h2_session_goaway_text(session);
    const char *why = blame == H2_BLAME_NOBODY && goaway != NULL ? goaway : reason;
    ret->reason = blame == H2_BLAME_PEER        ? STREAM_SERVER_BROKEN
                  : blame == H2_BLAME_OURSELVES ? STREAM_SHED
                                                : STREAM_SERVER_LOST;
    snprintf(ret->text, sizeof(ret->text),
             "cluster %.80s: connection to endpoint %s was lost%s%.120s", exchange->cluster->name,
             exchange->endpoint->name, why != NULL ? ": " : "", why != NULL ? why : "");
}

static void describe_end(const struct exchange *exchange, uint32_t error, struct upstream_end *ret)
{
    const struct h2_stream *stream = exchange->upstream.stream;
    const struct h2_session *session = h2_stream_session(stream);
    const char *fault = h2_stream_fault(stream);
    ret->error = error;
    ret->reason = STREAM_RESET;
    ret->text[0] = '\0';
    ret->broken = error != H2_CONNECTION_LOST && fault != NULL;
    if (ret->broken) {
        ret->reason = STREAM_SERVER_BROKEN;
        snprintf(ret->text, sizeof(ret->text),
                 "cluster %.80s: endpoint %s broke HTTP/2 or a limit: %.160s",
                 exchange->cluster->name, exchange->endpoint->name, fault);
    } else if (error == H2_CONNECTION_LOST) {
        describe_loss(exchange, ret);
    } else if (error == H2_REFUSED_STREAM) {
        ret->reason = STREAM_REFUSED;
        const char *goaway = h2_session_goaway_text(session);
        snprintf(ret->text, sizeof(ret->text),
                 "cluster %.80s: endpoint %s refused the stream: %.120s", exchange->cluster->name,
                 exchange->endpoint->name, goaway != NULL ? goaway : h2_error_name(error));
    }
}

/* The endpoint's side is over before it answered in full. */
static void fail_downstream(struct exchange *exchange, const struct upstream_end *end)
{
    counter_add(&exchange->worker->stats.rq_reset, 1);
    atomic_fetch_add(&exchange->endpoint->rq_error, 1);
    if (end->reason != STREAM_RESET) {
        exchange_answer(exchange, end->reason, end->broken ? RPC_INTERNAL : RPC_UNAVAILABLE,
                        end->text);
    } else {
        exchange_end(exchange, STREAM_RESET, h2_error_name(end->error));
        exchange_forget_request(exchange);
        h2_stream_reset(exchange->downstream, end->error);
        exchange_return_credit(exchange, exchange->credit_held);
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
        if (end->reason == STREAM_SERVER_BROKEN && upstream_note_broken(&exchange->upstream)) {
            worker_endpoint_fault(exchange->worker, exchange->endpoint, end->text);
        }
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
    if (unprocessed && error == H2_REFUSED_STREAM) {
        upstream_refused(&exchange->upstream);
    }
    upstream_closed(&exchange->upstream);
    bool open = exchange->state == EXCHANGE_OPEN || exchange->state == EXCHANGE_ANSWERING;
    if (open && !(unprocessed && retry_refused(exchange))) {
        fail_downstream(exchange, &end);
    }
    exchange_free_when_closed(exchange);
}

static const struct h2_stream_events upstream_events = {
    .on_block = on_upstream_block,
    .on_data = on_upstream_data,
    .on_end = on_upstream_end,
    .on_sent = on_upstream_sent,
    .on_close = on_upstream_close,
};
