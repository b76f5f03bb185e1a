/* Requests that wait for a connection. */
#include "relay/client.h"
#include "relay/upstream_impl.h"

#include <assert.h>

void upstream_request_init(struct upstream_request *request,
                           const struct upstream_request_events *events)
{
    request->events = events;
    list_init(&request->node);
    list_init(&request->reset_node);
}

/* True while the request waits for a connection. */
static bool waits(const struct upstream_request *request)
{
    return request->upstream != NULL && request->conn == NULL;
}

void upstream_enqueue(struct upstream *upstream, struct upstream_request *request)
{
    assert(request->upstream == NULL && request->stream == NULL && list_empty(&request->node));
    request->upstream = upstream;
    request->since_ms = worker_now_ms(upstream->worker);
    list_append(&upstream->waiting[request->lane], &request->node);
    upstream->waiting_count[request->lane]++;
}

void upstream_dequeue(struct upstream_request *request)
{
    assert(waits(request));
    list_remove(&request->node);
    request->upstream->waiting_count[request->lane]--;
    request->upstream = NULL;
}

void upstream_cancel(struct upstream_request *request)
{
    if (waits(request)) {
        upstream_dequeue(request);
    }
}

struct upstream_request *upstream_first_waiting(struct upstream *upstream, unsigned lane)
{
    struct list *head = &upstream->waiting[lane];
    return list_empty(head) ? NULL : upstream_request_at(head->next);
}

/* A storm of short streams comes from clients that came for it: these wait while its resets do, so
 * that those who were there before, and health checks, find room at the endpoint. */
static bool must_wait(const struct upstream *upstream, const struct upstream_request *request)
{
    uint64_t now_ms = worker_now_ms(upstream->worker);
    return upstream->resetting_young >= UPSTREAM_CROWDED_RESETS && request->client != NULL &&
           now_ms - request->client->since_ms < UPSTREAM_NEWCOMER_MS &&
           now_ms - request->since_ms < UPSTREAM_NEWCOMER_WAIT_MS;
}

struct upstream_request *upstream_next_waiting(struct upstream *upstream, unsigned lane)
{
    struct list *node;
    struct list *next;
    list_each(node, next, &upstream->waiting[lane])
    {
        struct upstream_request *request = upstream_request_at(node);
        if (!must_wait(upstream, request)) {
            return request;
        }
    }
    return NULL;
}

void upstream_fail_lane(struct upstream *upstream, unsigned lane, const struct net_error *why)
{
    for (size_t left = upstream->waiting_count[lane]; left > 0; left--) {
        struct upstream_request *request = upstream_first_waiting(upstream, lane);
        if (request == NULL) {
            return;
        }
        upstream_dequeue(request);
        request->events->on_failed(request, why);
    }
}
