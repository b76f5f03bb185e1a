#include "role/naming.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Values that differ are shown so far. */
#define SHOWN_BYTES 48

/* Keeps the first reason; what comes later is no news. */
__attribute__((format(printf, 2, 3))) static void miss(struct role_name *name, const char *format,
                                                       ...)
{
    char text[ROLE_MISSING_BYTES];
    va_list arguments;
    name->text[0] = '\0';
    if (name->missing[0] != '\0') {
        return;
    }
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    text_escape(name->missing, sizeof(name->missing), text, strlen(text));
}

static void take(struct role_name *name, const struct role_source *source, const char *bytes,
                 size_t len)
{
    if (len == 0) {
        miss(name, "%s is empty", source->text);
    } else if (len >= ROLE_NAME_BYTES) {
        miss(name, "%s has %zu bytes, and a name at most %d", source->text, len,
             ROLE_NAME_BYTES - 1);
    } else if (memchr(bytes, '\0', len) != NULL) {
        miss(name, "%s holds a NUL", source->text);
    } else {
        memcpy(name->text, bytes, len);
        name->text[len] = '\0';
    }
}

/* ---- headers and trailers -------------------------------------------------------------------- */

/* The names of what is there, each once. */
static void list_fields(const struct h2_block *block, char *out, size_t out_bytes)
{
    size_t len = 0;
    snprintf(out, out_bytes, "nothing");
    for (size_t i = 0; i < block->count && len + 1 < out_bytes; i++) {
        const struct h2_header *field = &block->fields[i];
        if (field->name[0] == ':' || h2_block_find(block, field->name, NULL) != field) {
            continue;
        }
        int wrote = snprintf(out + len, out_bytes - len, "%s%.*s", len > 0 ? ", " : "",
                             (int)field->name_len, field->name);
        len += wrote > 0 ? (size_t)wrote : 0;
    }
    if (len >= out_bytes) {
        memcpy(out + out_bytes - 4, "...", 4);
    }
}

/* The next field of that name behind `index`, or NULL. */
static const struct h2_header *other_value(const struct h2_block *block,
                                           const struct h2_header *first)
{
    for (const struct h2_header *at = first + 1; at < block->fields + block->count; at++) {
        if (at->name_len == first->name_len && memcmp(at->name, first->name, at->name_len) == 0 &&
            (at->value_len != first->value_len ||
             memcmp(at->value, first->value, at->value_len) != 0)) {
            return at;
        }
    }
    return NULL;
}

/* The proxy's word and the server's, and no telling whose is whose. */
static void miss_two(struct role_name *name, const struct role_source *source,
                     const struct h2_header *first, const struct h2_header *second)
{
    char one[SHOWN_BYTES];
    char other[SHOWN_BYTES];
    text_escape(one, sizeof(one), first->value, first->value_len);
    text_escape(other, sizeof(other), second->value, second->value_len);
    miss(name, "%.80s is there more than once: %s and %s", source->text, one, other);
}

void role_name_from_block(struct role_name *name, const struct role_source *source,
                          enum role_source_kind kind, const struct h2_block *block)
{
    if (source->kind != kind) {
        return;
    }
    const struct h2_header *field = h2_block_find(block, source->header, NULL);
    if (field == NULL) {
        char there[ROLE_MISSING_BYTES / 2];
        list_fields(block, there, sizeof(there));
        miss(name, "no %.80s, but %s", source->text, there);
        return;
    }
    const struct h2_header *second = other_value(block, field);
    if (second != NULL) {
        miss_two(name, source, field, second);
    } else {
        take(name, source, field->value, field->value_len);
    }
}

/* ---- messages -------------------------------------------------------------------------------- */

void role_name_from_message(struct role_name *name, const struct role_source *source,
                            const uint8_t *bytes, size_t len)
{
    struct rpc_field_value value;
    char there[ROLE_MISSING_BYTES / 2];
    if (source->kind != ROLE_SOURCE_FIELD) {
        return;
    }
    switch (rpc_field_find(bytes, len, &source->path, &value)) {
    case 0:
        if (value.bytes != NULL) {
            take(name, source, (const char *)value.bytes, value.len);
        } else {
            snprintf(name->text, sizeof(name->text), "%" PRIu64, value.number);
        }
        return;
    case RPC_FIELD_E_ABSENT:
        miss(name, "no %s in a message of %zu bytes, whose fields are: %s", source->text, len,
             rpc_field_list(bytes, len, there, sizeof(there)));
        return;
    case RPC_FIELD_E_REPEATED:
        miss(name, "%s is there more than once, with different values", source->text);
        return;
    case RPC_FIELD_E_TYPE:
        miss(name, "%s is neither a string, bytes nor a varint", source->text);
        return;
    default:
        miss(name, "an answer of %zu bytes has no %s: it is not a protobuf message", len,
             source->text);
        return;
    }
}
