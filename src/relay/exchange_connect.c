/* Where an exchange goes: an endpoint is chosen, and perhaps another one after it. */
#include "relay/exchange_impl.h"

#include "base/counter.h"
#include "relay/client.h"
#include "relay/observe.h"
#include "relay/state.h"

#include <stdio.h>

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

bool exchange_retry(struct exchange *exchange, bool same)
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

bool exchange_retry_refused(struct exchange *exchange)
{
    if (exchange->refusals < EXCHANGE_REFUSALS) {
        exchange->refusals++;
        exchange->attempts--;
    }
    return exchange_retry(exchange, true);
}
