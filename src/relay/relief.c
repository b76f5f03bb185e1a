#include "relay/relief.h"

#include "base/mem.h"
#include "relay/client.h"
#include "relay/exchange.h"
#include "relay/state.h"

#include <stdio.h>

/* Relief goes on until an eighth of the limit is free, so that it is not needed again at once. */
#define FREE_SHARE 8

/* The client whose streams hold the most; NULL when no stream holds anything. */
static struct client *find_fullest_client(struct worker *worker)
{
    struct client *fullest = NULL;
    struct list *node;
    struct list *next;
    list_each(node, next, &worker->streams.records)
    {
        if (exchange_at(node)->client != NULL) {
            exchange_at(node)->client->held_bytes = 0;
        }
    }
    list_each(node, next, &worker->streams.records)
    {
        struct client *client = exchange_at(node)->client;
        if (client == NULL) {
            continue;
        }
        client->held_bytes += exchange_held_bytes(exchange_at(node));
        if (client->held_bytes > 0 &&
            (fullest == NULL || client->held_bytes > fullest->held_bytes)) {
            fullest = client;
        }
    }
    return fullest;
}

static struct exchange *find_fullest_exchange(struct client *client)
{
    struct exchange *fullest = NULL;
    size_t most = 0;
    struct list *node;
    struct list *next;
    list_each(node, next, &client->exchanges)
    {
        struct exchange *exchange = container_of(node, struct exchange, client_node);
        if (exchange_held_bytes(exchange) > most) {
            most = exchange_held_bytes(exchange);
            fullest = exchange;
        }
    }
    return fullest;
}

/* Sheds the client's streams, the fullest first, down to `target`, or until none holds anything. */
static void shed_client(struct client *client, size_t target, const char *message)
{
    struct worker *worker = client->worker;
    struct exchange *exchange;
    while (worker->queued_bytes > target && (exchange = find_fullest_exchange(client)) != NULL) {
        size_t before = exchange_held_bytes(exchange);
        exchange_shed(exchange, message);
        size_t after = exchange_held_bytes(exchange);
        if (after >= before) {
            return; /* what it holds now is its status */
        }
    }
}

void relief_on_flush(struct net_flush *item)
{
    struct worker *worker = container_of(item, struct worker, relief);
    size_t target = worker->queued_limit - worker->queued_limit / FREE_SHARE;
    char message[RPC_MESSAGE_BYTES];
    struct client *client = NULL;
    snprintf(message, sizeof(message),
             "the proxy's buffers are full (--max-buffered, %zu bytes here) and this client holds "
             "the most of them",
             worker->queued_limit);
    while (worker->queued_bytes > target && (client = find_fullest_client(worker)) != NULL) {
        size_t before = worker->queued_bytes;
        shed_client(client, target, message);
        if (worker->queued_bytes >= before) {
            return;
        }
    }
}
