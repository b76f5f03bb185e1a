#include "rpc/field.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NUMBER_MAX     ((UINT32_C(1) << 29) - 1)
#define VARINT_BYTES   10
#define NUMBERS_LISTED 12
#define EXPECTED       "expected the number of a field, or of fields within each other: 3, 1.2"

enum wire { WIRE_VARINT, WIRE_64, WIRE_BYTES, WIRE_GROUP, WIRE_GROUP_END, WIRE_32 };

/* What is left of a message. */
struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

struct field {
    uint32_t number;
    enum wire wire;
    struct rpc_field_value value; /* of WIRE_VARINT and WIRE_BYTES */
};

const char *rpc_field_parse(const char *text, struct rpc_field_path *ret)
{
    struct rpc_field_path path = {.depth = 0};
    for (;;) {
        uint64_t number = 0;
        size_t digits = strspn(text, "0123456789");
        if (digits == 0 || digits > 9 || text[0] == '0' || path.depth == RPC_FIELD_DEPTH_MAX) {
            return EXPECTED;
        }
        sscanf(text, "%9" SCNu64, &number);
        if (number > NUMBER_MAX) {
            return EXPECTED;
        }
        path.numbers[path.depth++] = (uint32_t)number;
        text += digits;
        if (*text == '\0') {
            *ret = path;
            return NULL;
        }
        if (*text++ != '.') {
            return EXPECTED;
        }
    }
}

/* ---- one field after the other; each returns false where the bytes are no message ------------ */

static bool take_varint(struct cursor *cursor, uint64_t *ret)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_BYTES && cursor->at < cursor->end; i++) {
        uint8_t byte = *cursor->at++;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            *ret = value;
            return i + 1 < VARINT_BYTES || byte <= 1; /* 64 bits */
        }
    }
    return false;
}

static bool skip(struct cursor *cursor, uint64_t len)
{
    if (len > (uint64_t)(cursor->end - cursor->at)) {
        return false;
    }
    cursor->at += len;
    return true;
}

static bool take_tag(struct cursor *cursor, struct field *field)
{
    uint64_t tag;
    if (!take_varint(cursor, &tag) || tag > UINT32_MAX || tag >> 3 == 0 || (tag & 7) > WIRE_32) {
        return false;
    }
    field->number = (uint32_t)(tag >> 3);
    field->wire = (enum wire)(tag & 7);
    return true;
}

/* The value behind a tag; of a group, nothing. */
static bool take_value(struct cursor *cursor, struct field *field)
{
    uint64_t len;
    field->value = (struct rpc_field_value){.bytes = NULL};
    switch (field->wire) {
    case WIRE_VARINT:
        return take_varint(cursor, &field->value.number);
    case WIRE_64:
        return skip(cursor, 8);
    case WIRE_32:
        return skip(cursor, 4);
    case WIRE_BYTES:
        if (!take_varint(cursor, &len)) {
            return false;
        }
        field->value.bytes = cursor->at;
        field->value.len = (size_t)len;
        return skip(cursor, len);
    case WIRE_GROUP:
    case WIRE_GROUP_END:
        break;
    }
    return true;
}

/* Behind the tag that begins a group, to behind the one that ends it. */
static bool skip_group(struct cursor *cursor, uint32_t number)
{
    uint32_t open[RPC_GROUP_DEPTH_MAX] = {number};
    size_t depth = 1;
    while (depth > 0) {
        struct field field;
        if (!take_tag(cursor, &field) || !take_value(cursor, &field)) {
            return false;
        }
        if (field.wire == WIRE_GROUP) {
            if (depth == RPC_GROUP_DEPTH_MAX) {
                return false;
            }
            open[depth++] = field.number;
        } else if (field.wire == WIRE_GROUP_END && field.number != open[--depth]) {
            return false;
        }
    }
    return true;
}

static bool take_field(struct cursor *cursor, struct field *field)
{
    return take_tag(cursor, field) && take_value(cursor, field) && field->wire != WIRE_GROUP_END &&
           (field->wire != WIRE_GROUP || skip_group(cursor, field->number));
}

/* ---- what is asked --------------------------------------------------------------------------- */

static bool same_value(const struct rpc_field_value *a, const struct rpc_field_value *b)
{
    if (a->bytes == NULL || b->bytes == NULL) {
        return a->bytes == b->bytes && a->number == b->number;
    }
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* Adds what one more occurrence of the field says to what those before said. */
static int join(int before, int outcome, const struct rpc_field_value *value,
                struct rpc_field_value *found)
{
    if (before == RPC_FIELD_E_ABSENT) {
        *found = *value;
        return outcome;
    }
    if (before != 0 || outcome == RPC_FIELD_E_ABSENT) {
        return before;
    }
    return outcome != 0 || same_value(value, found) ? outcome : RPC_FIELD_E_REPEATED;
}

/* `level` counts the fields of the path that are behind us. */
static int find(const uint8_t *bytes, size_t len, const struct rpc_field_path *path, size_t level,
                struct rpc_field_value *found)
{
    struct cursor cursor = {bytes, bytes + len};
    int outcome = RPC_FIELD_E_ABSENT;
    while (cursor.at < cursor.end) {
        struct field field;
        if (!take_field(&cursor, &field)) {
            return RPC_FIELD_E_MALFORMED;
        }
        if (field.number != path->numbers[level]) {
            continue;
        }
        bool last = level + 1 == path->depth;
        int one = 0;
        if (field.wire != WIRE_BYTES && (field.wire != WIRE_VARINT || !last)) {
            one = RPC_FIELD_E_TYPE;
        } else if (!last) {
            struct rpc_field_value inner = {.bytes = NULL};
            one = find(field.value.bytes, field.value.len, path, level + 1, &inner);
            field.value = inner;
        }
        outcome = join(outcome, one, &field.value, found);
    }
    return outcome;
}

int rpc_field_find(const uint8_t *bytes, size_t len, const struct rpc_field_path *path,
                   struct rpc_field_value *ret)
{
    struct rpc_field_value found = {.bytes = NULL};
    int outcome = find(bytes, len, path, 0, &found);
    if (outcome == 0) {
        *ret = found;
    }
    return outcome;
}

int64_t rpc_field_next(struct rpc_field_walk *walk, struct rpc_field_value *ret)
{
    struct cursor cursor = {walk->at, walk->end};
    struct field field;
    if (cursor.at == cursor.end) {
        return 0;
    }
    if (!take_field(&cursor, &field)) {
        return -1;
    }
    walk->at = cursor.at;
    *ret = field.value;
    return field.number;
}

bool rpc_field_is_message(const uint8_t *bytes, size_t len)
{
    struct cursor cursor = {bytes, bytes + len};
    struct field field;
    while (cursor.at < cursor.end) {
        if (!take_field(&cursor, &field)) {
            return false;
        }
    }
    return true;
}

char *rpc_field_list(const uint8_t *bytes, size_t len, char *out, size_t out_bytes)
{
    struct cursor cursor = {bytes, bytes + len};
    struct field field;
    uint32_t numbers[NUMBERS_LISTED];
    size_t count = 0;
    snprintf(out, out_bytes, "none");
    for (size_t text = 0; cursor.at < cursor.end && take_field(&cursor, &field);) {
        size_t i = 0;
        while (i < count && numbers[i] != field.number) {
            i++;
        }
        if (i < count) {
            continue;
        }
        bool full = count == NUMBERS_LISTED || text + sizeof(", 536870911, ...") > out_bytes;
        if (full) {
            snprintf(out + text, out_bytes - text, ", ...");
            break;
        }
        snprintf(out + text, out_bytes - text, "%s%u", count > 0 ? ", " : "",
                 (unsigned)field.number);
        numbers[count++] = field.number;
        text += strlen(out + text);
    }
    return out;
}
