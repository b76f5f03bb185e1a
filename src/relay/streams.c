#include "relay/streams.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

/* Streams looked at with the mutex held: some 50 us. */
#define BATCH 128

void streams_init(struct streams *streams)
{
    pthread_mutex_init(&streams->mutex, NULL);
    list_init(&streams->records);
    streams->walk = NULL;
    streams->count = 0;
}

void streams_deinit(struct streams *streams)
{
    assert(list_empty(&streams->records) && streams->count == 0);
    pthread_mutex_destroy(&streams->mutex);
}

void streams_lock(struct streams *streams)
{
    pthread_mutex_lock(&streams->mutex);
}

void streams_unlock(struct streams *streams)
{
    pthread_mutex_unlock(&streams->mutex);
}

void streams_add(struct streams *streams, struct stream_record *record)
{
    streams_lock(streams);
    list_append(&streams->records, &record->node);
    streams->count++;
    streams_unlock(streams);
}

void streams_remove(struct streams *streams, struct stream_record *record)
{
    streams_lock(streams);
    if (streams->walk == &record->node) {
        streams->walk = record->node.next;
    }
    assert(streams->count > 0);
    list_remove(&record->node);
    streams->count--;
    streams_unlock(streams);
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool has(const char *text, const char *search)
{
    return strcasestr(text, search) != NULL;
}

static bool is_on(const struct stream_record *record, const struct streams_query *query)
{
    const struct endpoint *endpoint = record->endpoint;
    if (query->misrouted && !record->misrouted) {
        return false;
    }
    if (query->version != NULL && strcmp(record->agent_version, query->version) != 0) {
        return false;
    }
    if (query->cluster == NULL && query->endpoint == NULL) {
        return true;
    }
    return endpoint != NULL &&
           (query->cluster == NULL || strcmp(endpoint->cluster->name, query->cluster) == 0) &&
           (query->endpoint == NULL || strcmp(endpoint->name, query->endpoint) == 0);
}

static bool has_text(const struct stream_record *record, const char *search)
{
    const struct endpoint *endpoint = record->endpoint;
    return search[0] == '\0' || has(record->agent_id, search) ||
           has(record->agent_version, search) || has(record->server_id, search) ||
           has(record->server_version, search) ||
           (endpoint != NULL &&
            (has(endpoint->name, search) || has(endpoint->cluster->name, search)));
}

static void copy_row(struct stream_row *row, const struct stream_record *record)
{
    memset(row, 0, sizeof(*row));
    row->number = record->number;
    row->opened_ms = record->opened_ms;
    row->messages_up = atomic_load(&record->up.messages);
    row->messages_down = atomic_load(&record->down.messages);
    row->misrouted = record->misrouted;
    memcpy(row->agent_id, record->agent_id, sizeof(row->agent_id));
    memcpy(row->agent_version, record->agent_version, sizeof(row->agent_version));
    memcpy(row->server_version, record->server_version, sizeof(row->server_version));
    memcpy(row->pod, record->server_id, sizeof(row->pod));
    if (record->endpoint != NULL) {
        memcpy(row->endpoint, record->endpoint->name, sizeof(row->endpoint));
        memcpy(row->cluster, record->endpoint->cluster->name, sizeof(row->cluster));
    }
}

/* What a reader does with a record; false: it has seen enough. */
typedef bool (*visit_fn)(void *ctx, const struct stream_record *record);

/* Goes on at streams->walk, which is NULL at the end. */
static void walk_batch(struct streams *streams, visit_fn visit, void *ctx)
{
    for (int i = 0; i < BATCH && streams->walk != NULL; i++) {
        struct list *node = streams->walk;
        bool more =
            node != &streams->records && visit(ctx, container_of(node, struct stream_record, node));
        streams->walk = more ? node->next : NULL;
    }
}

/* In the order of numbers; the mutex is held for a batch at a time. */
static void walk(struct streams *streams, visit_fn visit, void *ctx)
{
    streams_lock(streams);
    streams->walk = streams->records.next;
    while (streams->walk != NULL) {
        walk_batch(streams, visit, ctx);
        streams_unlock(streams);
        streams_lock(streams);
    }
    streams_unlock(streams);
}

struct collecting {
    const struct streams_query *query;
    struct stream_row *rows;
    size_t count;
};

static bool collect(void *ctx, const struct stream_record *record)
{
    struct collecting *collecting = ctx;
    const struct streams_query *query = collecting->query;
    if (record->number > query->after && is_on(record, query) && has_text(record, query->search)) {
        copy_row(&collecting->rows[collecting->count++], record);
    }
    return collecting->count < query->limit;
}

size_t streams_collect(struct streams *streams, const struct streams_query *query,
                       struct stream_row *rows)
{
    struct collecting collecting = {.query = query, .rows = rows};
    if (query->limit > 0) {
        walk(streams, collect, &collecting);
    }
    return collecting.count;
}

struct aging {
    uint64_t now_ms;
    struct streams_ages *ages;
};

static bool add_age(void *ctx, const struct stream_record *record)
{
    struct aging *aging = ctx;
    struct streams_ages *ages = aging->ages;
    /* a worker's time is that of its turn: a stream may be from after the reader's */
    uint64_t age_ms = aging->now_ms > record->opened_ms ? aging->now_ms - record->opened_ms : 0;
    ages->counts[tally_bucket(&tally_ages, age_ms)]++;
    ages->oldest_ms = age_ms > ages->oldest_ms ? age_ms : ages->oldest_ms;
    return true;
}

void streams_add_ages(struct streams *streams, uint64_t now_ms, struct streams_ages *ages)
{
    walk(streams, add_age, &(struct aging){now_ms, ages});
}
