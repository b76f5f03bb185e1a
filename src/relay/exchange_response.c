/* What comes from the endpoint goes to the client. */
#include "relay/exchange_impl.h"

#include "relay/headers.h"
#include "relay/observe.h"
#include "relay/state.h"

#include <stdio.h>

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
const struct h2_stream_events exchange_upstream_events = {
    .on_block = on_upstream_block,
    .on_data = on_upstream_data,
    .on_end = on_upstream_end,
    .on_sent = on_upstream_sent,
    .on_close = exchange_on_upstream_close,
};
