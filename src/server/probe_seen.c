#include "server/probe_seen.h"

#include "base/mem.h"
#include "base/random.h"
#include "base/text.h"
#include "role/headers.h"
#include "rpc/metadata.h"
#include "server/probe_limits.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_BITS 13
#define TABLE_SIZE ((size_t)1 << TABLE_BITS)

struct server_probe_record {
    struct list table_node;
    struct list age_node;        /* records->open or records->ended */
    struct list connection_node; /* of its connection, while that lives */
    uint64_t id;
    const struct server_probe_facts *live; /* borrowed; NULL: ended */
    struct server_probe_record **slot;     /* who knows of it, while live */
    struct server_probe_facts facts;       /* once it ended */
    uint32_t streams;
    char *why; /* owned, and all below; NULL: nothing */
    char *connection_end;
    char *peer;
    struct rpc_probe_field *fields; /* one piece with their texts */
    size_t field_count;
};

bool server_probe_id_parse(const char *text, size_t len, uint64_t *ret_id)
{
    if (len != RPC_PROBE_ID_CHARS || strspn(text, "0123456789abcdefABCDEF") != len) {
        return false;
    }
    *ret_id = strtoull(text, NULL, 16);
    return true;
}

/* ---- the table ------------------------------------------------------------------------------- */

void server_probe_records_init(struct server_probe_records *records)
{
    *records = (struct server_probe_records){.seed = random_below(UINT64_MAX) | 1};
    records->table = mem_calloc(TABLE_SIZE, sizeof(*records->table));
    for (size_t i = 0; i < TABLE_SIZE; i++) {
        list_init(&records->table[i]);
    }
    list_init(&records->open);
    list_init(&records->ended);
}

/* Clients choose ids, but not the seed. */
static struct list *place_of(const struct server_probe_records *records, uint64_t id)
{
    return &records->table[(id ^ id >> 32) * records->seed >> (64 - TABLE_BITS)];
}

static struct server_probe_record *find(const struct server_probe_records *records, uint64_t id)
{
    struct list *head = place_of(records, id);
    for (struct list *node = head->next; node != head; node = node->next) {
        struct server_probe_record *record =
            container_of(node, struct server_probe_record, table_node);
        if (record->id == id) {
            return record;
        }
    }
    return NULL;
}

/* What was known of its stream. */
static void forget(struct server_probe_record *record)
{
    if (record->slot != NULL) {
        *record->slot = NULL;
        record->slot = NULL;
    }
    free(record->why);
    free(record->connection_end);
    free(record->peer);
    free(record->fields);
    record->why = NULL;
    record->connection_end = NULL;
    record->peer = NULL;
    record->fields = NULL;
    record->field_count = 0;
    record->live = NULL;
    list_remove(&record->age_node);
    list_remove(&record->connection_node);
}

static void record_free(struct server_probe_records *records, struct server_probe_record *record)
{
    forget(record);
    list_remove(&record->table_node);
    records->count--;
    free(record);
}

static void free_all(struct server_probe_records *records, struct list *head)
{
    while (!list_empty(head)) {
        record_free(records, container_of(head->next, struct server_probe_record, age_node));
    }
}

void server_probe_records_deinit(struct server_probe_records *records)
{
    if (records->table == NULL) {
        return;
    }
    free_all(records, &records->open);
    free_all(records, &records->ended);
    free(records->table);
    records->table = NULL;
}

static struct server_probe_record *record_new(struct server_probe_records *records, uint64_t id)
{
    if (records->count == PROBE_RECORDS) {
        struct list *oldest = list_empty(&records->ended) ? &records->open : &records->ended;
        record_free(records, container_of(oldest->next, struct server_probe_record, age_node));
    }
    struct server_probe_record *record = mem_new(struct server_probe_record);
    record->id = id;
    list_init(&record->age_node);
    list_init(&record->connection_node);
    list_append(place_of(records, id), &record->table_node);
    records->count++;
    return record;
}

/* ---- the life of a record -------------------------------------------------------------------- */

void server_probe_record_begin(struct server_probe_records *records, uint64_t id,
                               const struct server_probe_facts *facts, struct list *connection,
                               struct server_probe_record **slot)
{
    struct server_probe_record *record = find(records, id);
    if (record == NULL) {
        record = record_new(records, id);
    } else {
        forget(record);
    }
    record->streams++;
    record->live = facts;
    record->slot = slot;
    list_append(&records->open, &record->age_node);
    list_append(connection, &record->connection_node);
    *slot = record;
}

/* Whether the field is kept, and is within what is left. */
static bool is_kept(const struct h2_header *field, size_t left)
{
    return role_header_is_binary(field->name) && field->name_len + field->value_len + 1 <= left &&
           strcmp(field->name, RPC_PROBE_SCRIPT_HEADER) != 0;
}

/* Copies a field's texts to `to`; its value is decoded where it is base64. Returns their end. */
static char *keep_field(struct rpc_probe_field *out, const struct h2_header *field, char *to)
{
    out->name = to;
    memcpy(to, field->name, field->name_len + 1);
    to += field->name_len + 1;
    out->value = (const uint8_t *)to;
    out->malformed = rpc_binary_decode(field->value, field->value_len, (uint8_t *)to,
                                       field->value_len, &out->value_len) != 0;
    if (out->malformed) {
        memcpy(to, field->value, field->value_len);
        out->value_len = field->value_len;
    }
    return to + field->value_len;
}

void server_probe_record_request(struct server_probe_record *record,
                                 const struct h2_block *metadata, const char *peer)
{
    size_t count = 0;
    size_t bytes = 0;
    record->peer = mem_strdup(peer);
    for (size_t i = 0; i < metadata->count && count < PROBE_RECORD_FIELDS; i++) {
        if (is_kept(&metadata->fields[i], PROBE_RECORD_FIELDS_BYTES - bytes)) {
            bytes += metadata->fields[i].name_len + metadata->fields[i].value_len + 1;
            count++;
        }
    }
    if (count == 0) {
        return;
    }
    record->fields = mem_calloc(1, count * sizeof(*record->fields) + bytes);
    char *to = (char *)(record->fields + count);
    bytes = 0;
    for (size_t i = 0; record->field_count < count; i++) {
        const struct h2_header *field = &metadata->fields[i];
        if (is_kept(field, PROBE_RECORD_FIELDS_BYTES - bytes)) {
            bytes += field->name_len + field->value_len + 1;
            to = keep_field(&record->fields[record->field_count++], field, to);
        }
    }
}

static char *escaped(const char *text)
{
    char shown[RPC_PROBE_TEXT_BYTES];
    text_escape(shown, sizeof(shown), text, strlen(text));
    return mem_strdup(shown);
}

void server_probe_record_end(struct server_probe_records *records,
                             struct server_probe_record *record, const char *why)
{
    record->facts = *record->live;
    record->live = NULL;
    *record->slot = NULL;
    record->slot = NULL;
    record->why = escaped(why);
    list_remove(&record->age_node);
    list_append(&records->ended, &record->age_node);
}

void server_probe_records_connection_end(struct list *connection, const char *why)
{
    while (!list_empty(connection)) {
        struct server_probe_record *record =
            container_of(connection->next, struct server_probe_record, connection_node);
        list_remove(&record->connection_node);
        record->connection_end = escaped(why);
    }
}

/* ---- what is told ---------------------------------------------------------------------------- */

static uint64_t since(uint64_t from_ms, uint64_t to_ms)
{
    return to_ms > from_ms ? to_ms - from_ms : 0;
}

static void tell_facts(const struct server_probe_facts *facts, bool ended, uint64_t now_ms,
                       struct rpc_probe_seen *ret)
{
    uint64_t until_ms = ended ? facts->ended_ms : now_ms;
    ret->connection = facts->connection;
    ret->opened_ms_ago = since(facts->opened_ms, now_ms);
    ret->open_for_ms = since(facts->opened_ms, until_ms);
    ret->ended = ended;
    ret->how = ended ? facts->how : RPC_PROBE_OPEN;
    ret->code = ended ? facts->code : 0;
    ret->half_closed = facts->half_closed;
    ret->half_closed_after_ms = since(facts->opened_ms, facts->half_closed_ms);
    ret->messages = facts->messages;
    ret->bytes = facts->bytes;
    ret->sent_messages = facts->sent_messages;
    ret->sent_bytes = facts->sent_bytes;
    ret->silent_ms = since(facts->heard_ms, until_ms);
    ret->metadata_fields = facts->metadata_fields;
    ret->metadata_bytes = facts->metadata_bytes;
}

void server_probe_records_tell(const struct server_probe_records *records, uint64_t id,
                               uint64_t now_ms, struct rpc_probe_seen *ret)
{
    const struct server_probe_record *record = find(records, id);
    *ret = (struct rpc_probe_seen){.found = record != NULL};
    if (record == NULL) {
        return;
    }
    bool ended = record->live == NULL;
    tell_facts(ended ? &record->facts : record->live, ended, now_ms, ret);
    ret->streams = record->streams;
    ret->why = record->why;
    ret->connection_end = record->connection_end;
    ret->peer = record->peer;
    ret->field_count = record->field_count;
    if (record->field_count > 0) {
        memcpy(ret->fields, record->fields, record->field_count * sizeof(*record->fields));
    }
}
