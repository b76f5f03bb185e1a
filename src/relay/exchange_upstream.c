/* The request goes to the endpoint: a stream is opened there, or there is none to be had. */
#include "relay/exchange_impl.h"

#include "base/counter.h"
#include "base/mem.h"
#include "relay/client.h"
#include "relay/headers.h"
#include "relay/observe.h"
#include "relay/state.h"

#include <stdio.h>

static struct exchange *of_request(struct upstream_request *request)
{
    return container_of(request, struct exchange, upstream);
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
                            &exchange_upstream_events, exchange, &request->stream);
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
    if (exchange_retry(exchange, false)) {
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
