/* What all parts of an exchange need: its states, its buffers, its end. */
#include "relay/exchange_impl.h"

#include "base/counter.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/text.h"
#include "relay/client.h"
#include "relay/headers.h"
#include "relay/observe.h"
#include "relay/state.h"
#include "relay/stream_line.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- state ----------------------------------------------------------------------------------- */

void exchange_enter(struct exchange *exchange, enum exchange_state state)
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
    assert((state >= EXCHANGE_ENDING) == (exchange->end.reason != STREAM_LIVE));
    exchange->state = state;
}

static void set_detail(struct exchange *exchange, const char *detail)
{
    char text[STREAM_DETAIL_BYTES];
    if (detail != NULL && exchange->labels != NULL) {
        text_escape(text, sizeof(text), detail, strlen(detail));
        exchange->end.detail = mem_strdup(text);
    }
}

void exchange_end(struct exchange *exchange, enum stream_reason reason, const char *detail)
{
    assert(exchange->end.reason == STREAM_LIVE);
    exchange->end.reason = reason;
    set_detail(exchange, detail);
    exchange_enter(exchange, EXCHANGE_ENDING);
}

void exchange_end_unheard(struct exchange *exchange, const char *detail)
{
    exchange->end.grpc_status = -1;
    if (exchange->end.detail == NULL) {
        set_detail(exchange, detail);
    }
}

static void note_sent(struct exchange *exchange, struct reply_sent sent)
{
    exchange->end.grpc_status = sent.grpc_status;
    if (sent.http_status != 0) {
        exchange->end.http_status = sent.http_status;
    }
}

struct exchange *exchange_at(struct list *node)
{
    return container_of(container_of(node, struct stream_record, node), struct exchange, record);
}

/* ---- buffers --------------------------------------------------------------------------------- */

void exchange_watch_buffers(struct exchange *exchange)
{
    struct worker *worker = exchange->worker;
    if (worker->queued_bytes > worker->queued_limit) {
        net_loop_flush_soon(&worker->loop, &worker->relief);
    }
}

static size_t kept_bytes(const struct exchange *exchange)
{
    return exchange->replay.len + (exchange->request != NULL ? exchange->request->bytes : 0);
}

void exchange_keep_request(struct exchange *exchange, struct headers_request *request)
{
    exchange->request = request;
    exchange->worker->queued_bytes += request->bytes;
    exchange_watch_buffers(exchange);
}

void exchange_forget_request(struct exchange *exchange)
{
    exchange->worker->queued_bytes -= kept_bytes(exchange);
    pool_free(exchange->request);
    exchange->request = NULL;
    buf_deinit(&exchange->replay);
}

void exchange_keep_for_replay(struct exchange *exchange, const uint8_t *bytes, size_t len)
{
    if (exchange->request == NULL) {
        return;
    }
    bool queued = exchange->state == EXCHANGE_QUEUED;
    size_t cap = queued ? EXCHANGE_QUEUE_BYTES : H2_STREAM_WINDOW_BYTES;
    if (buf_append(&exchange->replay, bytes, len, cap) == 0) {
        exchange->worker->queued_bytes += len;
        return;
    }
    exchange_forget_request(exchange);
    if (queued) { /* no memory: what is lost was sent nowhere yet */
        exchange_answer(exchange, STREAM_SHED, RPC_RESOURCE_EXHAUSTED,
                        "no memory for the request's body");
    }
}

void exchange_return_credit(struct exchange *exchange, size_t len)
{
    size_t credit = len < exchange->credit_held ? len : exchange->credit_held;
    exchange->credit_held -= credit;
    if (exchange->downstream != NULL && credit > 0) {
        h2_stream_consume(exchange->downstream, credit);
    }
}

size_t exchange_loose_bytes(const struct exchange *exchange)
{
    const struct h2_stream *up = exchange->upstream.stream;
    const struct h2_stream *down = exchange->downstream;
    return kept_bytes(exchange) + (up != NULL ? h2_stream_queued_bytes(up) : 0) +
           (down != NULL ? h2_stream_queued_bytes(down) : 0);
}

size_t exchange_held_bytes(const struct exchange *exchange)
{
    const struct h2_stream *down = exchange->downstream;
    return exchange_loose_bytes(exchange) + (down != NULL ? h2_stream_block_bytes(down) : 0);
}

/* ---- end ------------------------------------------------------------------------------------- */

void exchange_leave_endpoint(struct exchange *exchange)
{
    observe_left(exchange->worker, &exchange->record);
    endpoint_unref(exchange->endpoint);
    exchange->endpoint = NULL;
}

void exchange_leave_client(struct exchange *exchange)
{
    list_remove(&exchange->client_node);
    exchange->client = NULL;
    exchange->upstream.client = NULL;
}

void exchange_free_when_closed(struct exchange *exchange)
{
    struct worker *worker = exchange->worker;
    if (exchange->downstream != NULL || exchange->upstream.stream != NULL) {
        return;
    }
    assert(exchange->client == NULL && exchange->upstream.upstream == NULL);
    exchange_enter(exchange, EXCHANGE_GONE);
    exchange_leave_endpoint(exchange);
    observe_ended(worker, &exchange->record);
    worker->leaving -= leave_counts(exchange->leaving);
    list_remove(&exchange->answered_node);
    streams_remove(&worker->streams, &exchange->record);
    counter_sub(&worker->stats.downstream_rq_active, 1);
    exchange_forget_request(exchange);
    assert(exchange->endpoint == NULL && exchange->replay.len == 0);
    routing_unref(exchange->routing);
    pool_free(exchange->labels);
    free(exchange->end.detail);
    pool_free(exchange);
}

void exchange_end_upstream(struct exchange *exchange, uint32_t code)
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

void exchange_finish_request(struct exchange *exchange)
{
    struct h2_stream *stream = exchange->upstream.stream;
    bool may_end = stream != NULL && !upstream_resets(&exchange->upstream);
    if (may_end && h2_stream_queued_bytes(stream) == 0) {
        h2_stream_end(stream);
    } else {
        exchange_end_upstream(exchange, H2_NO_ERROR);
    }
}

void exchange_answer_http(struct exchange *exchange, enum stream_reason reason, enum rpc_code code,
                          const char *http_status, const char *message)
{
    bool begun = exchange->state == EXCHANGE_ANSWERING;
    if (exchange->state == EXCHANGE_ENDING) {
        exchange_end_upstream(exchange, H2_CANCEL);
        return;
    }
    exchange_end(exchange, reason, message);
    exchange_end_upstream(exchange, H2_CANCEL);
    exchange_forget_request(exchange);
    if (exchange->downstream != NULL) {
        note_sent(exchange, reply_status(exchange->downstream, exchange->reply_form, begun,
                                         exchange->request_ended, code, http_status, message));
    }
    exchange_return_credit(exchange, exchange->credit_held);
}

void exchange_answer(struct exchange *exchange, enum stream_reason reason, enum rpc_code code,
                     const char *message)
{
    exchange_answer_http(exchange, reason, code, NULL, message);
}

void exchange_leave(struct exchange *exchange, enum stream_reason reason, const char *message)
{
    struct h2_stream *downstream = exchange->downstream;
    bool grpc = exchange->reply_form == REPLY_GRPC && exchange->state != EXCHANGE_ENDING;
    bool begun = exchange->state == EXCHANGE_ANSWERING;
    uint64_t received =
        exchange->upstream.stream != NULL ? message_count_whole(&exchange->record.up) : 0;
    if (!grpc || downstream == NULL) {
        exchange_answer(exchange, reason, RPC_UNAVAILABLE, message);
        return;
    }
    exchange_end(exchange, reason, message);
    exchange_end_upstream(exchange, H2_CANCEL);
    exchange_forget_request(exchange);
    note_sent(exchange, reply_planned(downstream, begun, received, message));
    exchange_return_credit(exchange, exchange->credit_held);
}

void exchange_shut_down(struct exchange *exchange)
{
    exchange_answer(exchange, STREAM_DRAINING, RPC_UNAVAILABLE, "proxy is shutting down");
}

void exchange_shed(struct exchange *exchange, enum stream_reason reason, const char *message)
{
    counter_add(&exchange->worker->stats.rq_shed, 1);
    if (exchange->upstream.stream != NULL) {
        exchange_return_credit(exchange, h2_stream_discard(exchange->upstream.stream));
    }
    if (exchange->downstream != NULL) {
        h2_stream_discard(exchange->downstream);
    }
    bool ended = exchange->state == EXCHANGE_ENDING;
    exchange_answer(exchange, reason, RPC_RESOURCE_EXHAUSTED, message);
    if (ended && exchange->downstream != NULL) { /* its own end waited behind what was dropped */
        exchange_end_unheard(exchange, message);
        h2_stream_reset(exchange->downstream, H2_ENHANCE_YOUR_CALM);
    }
}
