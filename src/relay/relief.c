#include "relay/relief.h"

#include "base/mem.h"
#include "relay/client.h"
#include "relay/exchange.h"
#include "relay/state.h"

#include <stdio.h>

/* Relief goes on until an eighth of the limit is free, so that it is not needed again at once. */
#define FREE_SHARE 8

/* The client whose streams hold the most, of those that have not lost their connection; NULL when
 * no stream holds anything. */
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
        if (client == NULL || client->ended) {
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

/* The exchange that gives the most when it is shed; NULL: none gives anything. */
static struct exchange *find_loosest_exchange(struct client *client)
{
    struct exchange *loosest = NULL;
    size_t most = 0;
    struct list *node;
    struct list *next;
    list_each(node, next, &client->exchanges)
    {
        struct exchange *exchange = container_of(node, struct exchange, client_node);
        if (exchange_loose_bytes(exchange) > most) {
            most = exchange_loose_bytes(exchange);
            loosest = exchange;
        }
    }
    return loosest;
}

/* Sheds the client's streams, the fullest first, down to `target`, or until that gives nothing. */
static void shed_streams(struct client *client, size_t target, const char *message)
{
    struct worker *worker = client->worker;
    struct exchange *exchange;
    while (worker->queued_bytes > target && (exchange = find_loosest_exchange(client)) != NULL) {
        size_t before = exchange_loose_bytes(exchange);
        exchange_shed(exchange, STREAM_SHED, message);
        if (exchange_loose_bytes(exchange) >= before) {
            return; /* what it holds now is its status */
        }
    }
}

/* What goes with connections that are being closed. */
static size_t sum_leaving(struct worker *worker)
{
    size_t sum = 0;
    struct list *node;
    struct list *next;
    list_each(node, next, &worker->streams.records)
    {
        const struct exchange *exchange = exchange_at(node);
        if (exchange->client != NULL && exchange->client->ended) {
            sum += exchange_held_bytes(exchange);
        }
    }
    return sum;
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
    size_t leaving = sum_leaving(worker);
    while (worker->queued_bytes > target + leaving &&
           (client = find_fullest_client(worker)) != NULL) {
        size_t before = worker->queued_bytes;
        size_t held = client->held_bytes;
        shed_streams(client, target, message);
        if (worker->queued_bytes < before) {
            continue;
        }
        if (held < H2_HEADER_BLOCK_BYTES) {
            return; /* what is left waits for endpoints */
        }
        client_end(client, message, "you do not read what you are sent");
        leaving += held;
    }
}
