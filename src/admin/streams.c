#include "admin/streams.h"

#include "admin/text.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "relay/exchange.h"
#include "relay/state.h"

#include <cJSON.h>
#include <stdlib.h>
#include <string.h>

struct rows {
    struct stream_row *rows;
    size_t count;
};

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

/* Returns the rows of all workers, owned. */
static struct rows gather(struct relay *relay, const struct streams_query *query)
{
    struct rows sets[3] = {{0}};
    for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
        sets[i].rows = malloc(query->limit * sizeof(struct stream_row));
    }
    struct rows *found = &sets[0];
    struct rows *fresh = &sets[1];
    struct rows *merged = &sets[2];
    bool memory = found->rows != NULL && fresh->rows != NULL && merged->rows != NULL;
    for (unsigned i = 0; i < relay->worker_count && memory; i++) {
        fresh->count = streams_collect(&relay->workers[i].streams, query, fresh->rows);
        for (size_t k = 0; k < fresh->count; k++) {
            fresh->rows[k].worker = i;
        }
        merge(found, fresh, query->limit, merged);
        struct rows *spare = found;
        found = merged;
        merged = spare;
    }
    free(fresh->rows);
    free(merged->rows);
    return *found;
}

static cJSON *row_json(const struct stream_row *row, uint64_t now_ms)
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

void admin_streams_json(struct relay *relay, const struct streams_query *query, struct buf *out)
{
    /* one row more than asked for tells whether there is a next page */
    struct streams_query more = *query;
    more.limit++;
    struct rows found = gather(relay, &more);
    bool last = found.count <= query->limit;
    size_t count = last ? found.count : query->limit;
    uint64_t now_ms = clock_now_ms();
    cJSON *root = cJSON_CreateObject();
    cJSON_AddNumberToObject(
        root, "total",
        (double)relay_sum(relay, offsetof(struct worker_stats, downstream_rq_active)));
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
