/* The endpoint's side of an exchange is over: whose fault it was, what the client is told, and
 * whether another endpoint is tried. */
#include "relay/exchange_impl.h"

#include "base/counter.h"
#include "relay/client.h"
#include "relay/state.h"

#include <stdio.h>

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

void exchange_on_upstream_close(void *user, uint32_t error, bool unprocessed)
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
    if (open && !(unprocessed && exchange_retry_refused(exchange))) {
        fail_downstream(exchange, &end);
    }
    exchange_free_when_closed(exchange);
}
