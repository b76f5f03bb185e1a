/* The client's side of an exchange: how it begins, and what comes from there. */
#include "relay/exchange_impl.h"

#include "base/counter.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/random.h"
#include "relay/client.h"
#include "relay/headers.h"
#include "relay/observe.h"
#include "relay/router.h"
#include "relay/state.h"
#include "relay/stream_log.h"

static const struct h2_stream_events downstream_events;

/* ---- from the client ------------------------------------------------------------------------- */

static void on_downstream_data(void *user, const uint8_t *bytes, size_t len)
{
    struct exchange *exchange = user;
    if (exchange->state == EXCHANGE_ENDING) {
        h2_stream_consume(exchange->downstream, len);
        return;
    }
    observe_up(exchange->worker, &exchange->record, bytes, len);
    exchange->credit_held += len;
    exchange_keep_for_replay(exchange, bytes, len);
    struct h2_stream *upstream = exchange->upstream.stream;
    int rv = upstream != NULL ? h2_stream_write(upstream, bytes, len, EXCHANGE_QUEUE_BYTES) : 0;
    if (rv == H2_E_CLOSED) { /* the client may go on until it hears why */
        exchange_return_credit(exchange, len);
    } else if (rv != 0) {
        exchange_answer(exchange, STREAM_SHED, RPC_RESOURCE_EXHAUSTED,
                        "no memory for the request's body");
    }
    exchange_watch_buffers(exchange);
}

static void on_downstream_end(void *user)
{
    struct exchange *exchange = user;
    exchange->request_ended = true;
    if (exchange->state == EXCHANGE_ENDING) { /* an answer in HTTP that waited for this */
        h2_stream_end(exchange->downstream);
    }
    if (exchange->upstream.stream != NULL) {
        h2_stream_end(exchange->upstream.stream);
    }
}

/* Trailers of a request end it. gRPC defines none, and servers end the connection over them: they
 * are not passed on. */
static void on_downstream_block(void *user, enum h2_block_kind kind, const struct h2_block *block,
                                bool end_stream)
{
    struct exchange *exchange = user;
    (void)kind;
    (void)block;
    (void)end_stream;
    counter_add(&exchange->worker->stats.trailers_dropped, 1);
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

/* The client's connection is gone, or the proxy closed it over what the client did. */
static void end_with_connection(struct exchange *exchange)
{
    const struct h2_session *session = h2_stream_session(exchange->downstream);
    const char *goaway = h2_session_goaway_text(session);
    const char *reason = h2_session_reason(session);
    enum h2_blame blame = h2_session_blame(session);
    if (exchange->client->ended) {
        exchange_end(exchange, STREAM_EXPELLED, reason);
    } else if (blame != H2_BLAME_NOBODY) {
        exchange_end(exchange, blame == H2_BLAME_PEER ? STREAM_CLIENT_BROKEN : STREAM_SHED, reason);
    } else {
        exchange_end(exchange, goaway != NULL ? STREAM_GOAWAY : STREAM_CLIENT_LOST, goaway);
    }
}

static void end_by_client(struct exchange *exchange, uint32_t error)
{
    const char *fault = h2_stream_fault(exchange->downstream);
    if (error == H2_CONNECTION_LOST) {
        end_with_connection(exchange);
    } else if (fault != NULL) {
        exchange_end(exchange, STREAM_CLIENT_BROKEN, fault);
    } else {
        exchange_end(exchange, STREAM_CANCELLED, h2_error_name(error));
    }
}

static void on_downstream_close(void *user, uint32_t error, bool unprocessed)
{
    struct exchange *exchange = user;
    (void)unprocessed;
    bool finished = error == H2_NO_ERROR && exchange->state == EXCHANGE_ENDING &&
                    h2_stream_end_left(exchange->downstream);
    bool has_code = error != H2_CONNECTION_LOST && error != H2_NO_ERROR;
    if (exchange->state != EXCHANGE_ENDING) {
        end_by_client(exchange, error);
    } else if (!finished) {
        exchange_end_unheard(exchange, error != H2_CONNECTION_LOST
                                           ? "the client had gone, or reset the stream"
                                           : "the client had lost its connection");
    }
    if (!h2_stream_begin_left(exchange->downstream)) {
        exchange->end.http_status = 0;
    }
    stream_log_end(exchange);
    if (error == H2_CONNECTION_LOST) { /* nobody is left to be charged */
        exchange_leave_client(exchange);
    }
    if (!finished) {
        exchange_end_upstream(exchange, has_code ? error : (uint32_t)H2_CANCEL);
    } else if (!exchange->request_ended) {
        exchange_finish_request(exchange);
    }
    if (exchange->client != NULL) {
        exchange_leave_client(exchange);
    }
    exchange->downstream = NULL;
    exchange_forget_request(exchange); /* the reset of the other side may wait */
    exchange_free_when_closed(exchange);
}

static const struct h2_stream_events downstream_events = {
    .on_block = on_downstream_block,
    .on_data = on_downstream_data,
    .on_end = on_downstream_end,
    .on_sent = on_downstream_sent,
    .on_close = on_downstream_close,
};

/* ---- begin ----------------------------------------------------------------------------------- */

static void init_record(struct stream_record *record, const struct worker *worker,
                        const struct h2_block *block)
{
    record->number = relay_next_stream_number(worker->relay);
    record->opened_ms = worker_now_ms(worker);
    observe_request(record, block);
}

/* When a stream that begins now is too old; 0: never. */
static uint64_t age_due(const struct worker *worker)
{
    const struct relay_config *config = worker_config(worker);
    if (config->max_stream_age_ms == 0) {
        return 0;
    }
    return worker_now_ms(worker) + config->max_stream_age_ms - config->age_jitter_ms +
           random_below(2 * config->age_jitter_ms + 1);
}

static struct exchange *exchange_new(struct client *client, struct h2_stream *downstream,
                                     const struct h2_block *block, bool end_stream)
{
    struct worker *worker = client->worker;
    struct exchange *exchange = pool_new(sizeof(*exchange));
    upstream_request_init(&exchange->upstream, &exchange_request_events);
    exchange->upstream.client = client;
    exchange->worker = worker;
    exchange->client = client;
    exchange->downstream = downstream;
    exchange->request_ended = end_stream;
    exchange->reply_form = reply_form_of(block);
    exchange->age_due_ms = age_due(worker);
    exchange->end.grpc_status = -1;
    exchange->labels = stream_log_labels(client, block);
    list_append(&client->exchanges, &exchange->client_node);
    list_init(&exchange->answered_node);
    init_record(&exchange->record, worker, block);
    streams_add(&worker->streams, &exchange->record);
    counter_add(&worker->stats.downstream_rq_active, 1);
    counter_add(&worker->stats.downstream_rq_total, 1);
    h2_stream_attach(downstream, &downstream_events, exchange);
    return exchange;
}

static void refuse(struct exchange *exchange, const struct router_decision *decision)
{
    struct worker_stats *stats = &exchange->worker->stats;
    counter_add(decision->code == RPC_UNIMPLEMENTED ? &stats->rq_no_route
                : decision->code == RPC_UNAVAILABLE ? &stats->rq_unavailable
                                                    : &stats->rq_rejected,
                1);
    exchange_answer(exchange,
                    decision->code == RPC_UNIMPLEMENTED ? STREAM_NO_ROUTE
                    : decision->code == RPC_UNAVAILABLE ? STREAM_NO_BACKEND
                                                        : STREAM_REJECTED,
                    decision->code, decision->reason);
}

static void route(struct exchange *exchange, const struct h2_block *block)
{
    struct router_decision decision;
    exchange->routing = relay_routing(exchange->worker->relay);
    router_decide(exchange->worker->relay, exchange->routing, block, &decision);
    if (decision.rule != NULL) {
        observe_routed(exchange->worker, &exchange->record, exchange->routing, decision.rule);
    }
    if (decision.cluster == NULL) {
        refuse(exchange, &decision);
        return;
    }
    exchange->cluster = decision.cluster;
    exchange->hash = decision.hash;
    const struct headers_identity identity = {exchange->client->identity};
    bool certs = worker_config(exchange->worker)->client_certs;
    struct headers_request *request =
        headers_make_request(block, &decision.rule->request, certs ? &identity : NULL);
    if (request == NULL) {
        exchange_refuse_large(exchange, H2_HEADER_BLOCK_BYTES - RELAY_HEADER_MARGIN_BYTES);
        return;
    }
    exchange_keep_request(exchange, request);
    if (exchange->worker->draining) {
        exchange_shut_down(exchange);
    } else {
        exchange_connect(exchange);
    }
}

void exchange_begin(struct client *client, struct h2_stream *downstream,
                    const struct h2_block *block, bool end_stream)
{
    struct exchange *exchange = exchange_new(client, downstream, block, end_stream);
    struct headers_refusal refusal;
    if (headers_check(block, &refusal)) {
        route(exchange, block);
    } else {
        counter_add(&exchange->worker->stats.rq_rejected, 1);
        exchange_answer_http(exchange, STREAM_REJECTED, refusal.code, refusal.http_status,
                             refusal.reason);
    }
    stream_log_open(exchange);
}
