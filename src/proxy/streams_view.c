#include "proxy/streams_view.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "proxy/admin_views.h"
#include "proxy/cluster.h"
#include "proxy/exchange.h"
#include "proxy/proxy.h"

#include <cJSON.h>
#include <stdlib.h>
#include <string.h>

/* Streams looked at with the mutex held: some 50 us. */
#define BATCH 128

struct row {
    uint64_t number;
    uint64_t opened_ms;
    uint64_t messages_up;
    uint64_t messages_down;
    unsigned worker;
    bool misrouted;
    char agent_id[EXCHANGE_LABEL_BYTES];
    char agent_version[EXCHANGE_LABEL_BYTES];
    char server_version[OBSERVE_VERSION_BYTES];
    char pod[OBSERVE_LABEL_BYTES];
    char cluster[PROXY_CLUSTER_NAME_BYTES];
    char endpoint[NET_ADDRESS_TEXT_BYTES];
};

struct rows {
    struct row *rows;
    size_t count;
};

/* ---- one worker's streams -------------------------------------------------------------------- */

static bool has(const char *text, const char *search)
{
    return strcasestr(text, search) != NULL;
}

static bool matches(const struct exchange *exchange, const char *search)
{
    const struct observation *seen = &exchange->seen;
    const struct endpoint *endpoint = exchange->endpoint;
    return search[0] == '\0' || has(exchange->agent_id, search) ||
           has(exchange->agent_version, search) || has(seen->server_id, search) ||
           has(seen->server_version, search) ||
           (endpoint != NULL &&
            (has(endpoint->name, search) || has(endpoint->cluster->name, search)));
}

static void copy_row(struct row *row, struct exchange *exchange)
{
    const struct observation *seen = &exchange->seen;
    memset(row, 0, sizeof(*row));
    row->number = exchange->number;
    row->opened_ms = exchange->opened_ms;
    row->messages_up = atomic_load(&exchange->up.messages);
    row->messages_down = atomic_load(&exchange->down.messages);
    row->worker = exchange->worker->index;
    row->misrouted = seen->misrouted;
    memcpy(row->agent_id, exchange->agent_id, sizeof(row->agent_id));
    memcpy(row->agent_version, exchange->agent_version, sizeof(row->agent_version));
    memcpy(row->server_version, seen->server_version, sizeof(row->server_version));
    memcpy(row->pod, seen->server_id, sizeof(row->pod));
    if (exchange->endpoint != NULL) {
        memcpy(row->endpoint, exchange->endpoint->name, sizeof(row->endpoint));
        memcpy(row->cluster, exchange->endpoint->cluster->name, sizeof(row->cluster));
    }
}

/* Goes on at worker->walk, which is NULL at the end. */
static void walk_batch(struct worker *worker, const struct streams_query *query, struct rows *ret)
{
    for (int i = 0; i < BATCH && ret->count < query->limit; i++) {
        struct list *node = worker->walk;
        if (node == &worker->exchanges) {
            worker->walk = NULL;
            return;
        }
        worker->walk = node->next;
        struct exchange *exchange = container_of(node, struct exchange, node);
        if (exchange->number > query->after && matches(exchange, query->search)) {
            copy_row(&ret->rows[ret->count++], exchange);
        }
    }
}

/* The list is in the order of numbers. */
static void collect(struct worker *worker, const struct streams_query *query, struct rows *ret)
{
    ret->count = 0;
    pthread_mutex_lock(&worker->exchanges_mutex);
    worker->walk = worker->exchanges.next;
    while (worker->walk != NULL && ret->count < query->limit) {
        walk_batch(worker, query, ret);
        pthread_mutex_unlock(&worker->exchanges_mutex);
        pthread_mutex_lock(&worker->exchanges_mutex);
    }
    worker->walk = NULL;
    pthread_mutex_unlock(&worker->exchanges_mutex);
}

/* ---- all workers ----------------------------------------------------------------------------- */

/* The lowest numbers of both. */
static void merge(const struct rows *a, const struct rows *b, size_t limit, struct rows *ret)
{
    size_t i = 0;
    size_t k = 0;
    for (ret->count = 0; ret->count < limit && (i < a->count || k < b->count); ret->count++) {
        bool from_a = k == b->count || (i < a->count && a->rows[i].number < b->rows[k].number);
        ret->rows[ret->count] = from_a ? a->rows[i++] : b->rows[k++];
    }
}

static size_t count_streams(struct proxy *proxy)
{
    size_t total = 0;
    for (unsigned i = 0; i < proxy->worker_count; i++) {
        total += atomic_load(&proxy->workers[i].stats.downstream_rq_active);
    }
    return total;
}

/* Returns the rows of all workers, owned. */
static struct rows gather(struct proxy *proxy, const struct streams_query *query)
{
    struct rows sets[3] = {{0}};
    for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
        sets[i].rows = malloc(query->limit * sizeof(struct row));
    }
    struct rows *found = &sets[0];
    struct rows *fresh = &sets[1];
    struct rows *merged = &sets[2];
    bool memory = found->rows != NULL && fresh->rows != NULL && merged->rows != NULL;
    for (unsigned i = 0; i < proxy->worker_count && memory; i++) {
        collect(&proxy->workers[i], query, fresh);
        merge(found, fresh, query->limit, merged);
        struct rows *spare = found;
        found = merged;
        merged = spare;
    }
    free(fresh->rows);
    free(merged->rows);
    return *found;
}

static cJSON *row_json(const struct row *row, uint64_t now_ms)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "number", (double)row->number);
    cJSON_AddStringToObject(object, "agent_id", row->agent_id);
    cJSON_AddStringToObject(object, "agent_version", row->agent_version);
    cJSON_AddStringToObject(object, "server_version", row->server_version);
    cJSON_AddStringToObject(object, "pod", row->pod);
    cJSON_AddBoolToObject(object, "misrouted", row->misrouted);
    cJSON_AddStringToObject(object, "cluster", row->cluster);
    cJSON_AddStringToObject(object, "endpoint", row->endpoint);
    cJSON_AddNumberToObject(object, "age_ms",
                            now_ms > row->opened_ms ? (double)(now_ms - row->opened_ms) : 0);
    cJSON_AddNumberToObject(object, "messages_up", (double)row->messages_up);
    cJSON_AddNumberToObject(object, "messages_down", (double)row->messages_down);
    cJSON_AddNumberToObject(object, "worker", row->worker);
    return object;
}

void streams_view_json(struct proxy *proxy, const struct streams_query *query, struct buf *out)
{
    /* one row more than asked for tells whether there is a next page */
    const struct streams_query more = {query->after, query->limit + 1, query->search};
    struct rows found = gather(proxy, &more);
    bool last = found.count <= query->limit;
    size_t count = last ? found.count : query->limit;
    uint64_t now_ms = clock_now_ms();
    cJSON *root = cJSON_CreateObject();
    cJSON_AddNumberToObject(root, "total", (double)count_streams(proxy));
    cJSON *array = cJSON_AddArrayToObject(root, "streams");
    for (size_t i = 0; i < count; i++) {
        cJSON_AddItemToArray(array, row_json(&found.rows[i], now_ms));
    }
    cJSON_AddItemToObject(root, "next",
                          last ? cJSON_CreateNull()
                               : cJSON_CreateNumber((double)found.rows[count - 1].number));
    free(found.rows);
    admin_finish_json(root, out);
}
