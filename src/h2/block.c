#include "h2/block.h"

#include "base/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INITIAL_TEXT_BYTES 512

static size_t chosen(uint32_t asked, size_t otherwise, size_t most)
{
    size_t limit = asked != 0 ? asked : otherwise;
    return limit < most ? limit : most;
}

size_t h2_block_limit_bytes(const struct h2_limits *limits)
{
    return chosen(limits->header_block_bytes, H2_HEADER_BLOCK_BYTES, H2_HEADER_BLOCK_BYTES_MAX);
}

static size_t limit_fields(const struct h2_limits *limits)
{
    return chosen(limits->header_fields, H2_HEADER_FIELDS, H2_HEADER_FIELDS_MAX);
}

static void set_limits(struct h2_block_reader *reader, const struct h2_limits *limits)
{
    reader->limit_bytes = h2_block_limit_bytes(limits);
    reader->limit_fields = limit_fields(limits);
}

struct h2_block_reader *h2_block_reader_new(const struct h2_limits *limits)
{
    static const struct h2_limits usual; /* says nothing */
    struct h2_block_reader *reader = pool_alloc(sizeof(*reader));
    if (reader != NULL) {
        /* the fields need no zeroing: `count` says which are set */
        reader->fields = reader->first;
        reader->field_capacity = H2_BLOCK_FIRST_FIELDS;
        reader->text = NULL;
        reader->text_len = 0;
        reader->text_capacity = 0;
        reader->counted_bytes = 0;
        reader->counted_fields = 0;
        reader->count = 0;
        reader->wider = limits->header_path != NULL ? limits : NULL;
        set_limits(reader, limits->header_path != NULL ? &usual : limits);
    }
    return reader;
}

void h2_block_reader_free(struct h2_block_reader *reader)
{
    if (reader != NULL) {
        if (reader->fields != reader->first) {
            free(reader->fields);
        }
        pool_free(reader->text);
        pool_free(reader);
    }
}

/* Makes room for one field more; the limit of fields bounds how often. Returns 0 or -ENOMEM. */
static int reserve_field(struct h2_block_reader *reader)
{
    if (reader->count < reader->field_capacity) {
        return 0;
    }
    bool first = reader->fields == reader->first;
    size_t bytes = reader->field_capacity * sizeof(reader->fields[0]);
    struct h2_header *fields = realloc(first ? NULL : reader->fields, 2 * bytes);
    if (fields == NULL) {
        return -ENOMEM;
    }
    if (first) {
        memcpy(fields, reader->first, bytes);
    }
    reader->fields = fields;
    reader->field_capacity *= 2;
    return 0;
}

static int reserve_text(struct h2_block_reader *reader, size_t len)
{
    size_t capacity = reader->text_capacity > 0 ? reader->text_capacity : INITIAL_TEXT_BYTES;
    while (capacity < reader->text_len + len) {
        capacity *= 2;
    }
    if (capacity == reader->text_capacity) {
        return 0;
    }
    char *text = reader->text == NULL ? pool_alloc(capacity) : realloc(reader->text, capacity);
    if (text == NULL) {
        return -ENOMEM;
    }
    reader->text = text;
    reader->text_capacity = capacity;
    return 0;
}

/* Stores a text and returns its offset, disguised as a pointer until the storage stops moving. */
static const char *store(struct h2_block_reader *reader, const void *bytes, size_t len)
{
    size_t offset = reader->text_len;
    if (len > 0) {
        memcpy(reader->text + offset, bytes, len);
    }
    reader->text[offset + len] = '\0';
    reader->text_len += len + 1;
    return (const char *)(uintptr_t)offset;
}

static size_t field_bytes(const struct h2_header *field)
{
    return field->name_len + field->value_len + H2_FIELD_OVERHEAD_BYTES;
}

/* Fields of that name come once, and before all others but those of their kind. */
static bool is_path(const struct h2_header *field, const char *path)
{
    static const char name[] = ":path";
    size_t len = strlen(path);
    return field->name_len == sizeof(name) - 1 &&
           memcmp(field->name, name, sizeof(name) - 1) == 0 && field->value_len == len &&
           memcmp(field->value, path, len) == 0;
}

int h2_block_reader_add(struct h2_block_reader *reader, const struct h2_header *field)
{
    if (reader->wider != NULL && is_path(field, reader->wider->header_path)) {
        set_limits(reader, reader->wider);
    }
    reader->counted_bytes += field_bytes(field);
    reader->counted_fields++;
    if (reader->counted_fields > reader->limit_fields ||
        reader->counted_bytes > reader->limit_bytes) {
        return 0; /* as for all that follow */
    }
    if (reserve_field(reader) != 0 ||
        reserve_text(reader, field->name_len + field->value_len + 2) != 0) {
        return -ENOMEM;
    }
    reader->fields[reader->count++] = (struct h2_header){
        .name = store(reader, field->name, field->name_len),
        .name_len = field->name_len,
        .value = store(reader, field->value, field->value_len),
        .value_len = field->value_len,
        .never_indexed = field->never_indexed,
    };
    return 0;
}

bool h2_block_reader_oversized(const struct h2_block_reader *reader)
{
    return reader->counted_fields > reader->count;
}

struct h2_block h2_block_reader_finish(struct h2_block_reader *reader)
{
    for (size_t i = 0; i < reader->count; i++) {
        reader->fields[i].name = reader->text + (uintptr_t)reader->fields[i].name;
        reader->fields[i].value = reader->text + (uintptr_t)reader->fields[i].value;
    }
    return (struct h2_block){reader->fields, reader->count};
}

size_t h2_block_bytes(const struct h2_header *fields, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += field_bytes(&fields[i]);
    }
    return bytes;
}

bool h2_block_is_post(const struct h2_block *block)
{
    const struct h2_header *method = h2_block_find(block, ":method", NULL);
    return method != NULL && method->value_len == 4 && memcmp(method->value, "POST", 4) == 0;
}
