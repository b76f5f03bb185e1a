/* The gRPC framing and the protobuf of a ping, see wire.h. */
#include "wire.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX_SIZE 5
#define VARINT_MAX  10

enum { FIELD_MESSAGE = 1, FIELD_VERSION = 2, FIELD_ID = 3, FIELD_SEQUENCE = 4 };
enum { TYPE_VARINT = 0, TYPE_FIXED64 = 1, TYPE_BYTES = 2, TYPE_FIXED32 = 5 };

/* ---- bytes ---------------------------------------------------------------------------------- */

void wire_bytes_add(struct wire_bytes *bytes, const void *data, size_t length)
{
    if (bytes->length + length > bytes->capacity) {
        bytes->capacity = 2 * (bytes->length + length);
        bytes->data = realloc(bytes->data, bytes->capacity);
        if (bytes->data == NULL) {
            abort(); /* a benchmark without memory measures nothing */
        }
    }
    if (length > 0) {
        memcpy(bytes->data + bytes->length, data, length);
    }
    bytes->length += length;
}

size_t wire_bytes_left(const struct wire_bytes *bytes)
{
    return bytes->length - bytes->taken;
}

size_t wire_bytes_take(struct wire_bytes *bytes, uint8_t *to, size_t length)
{
    size_t left = wire_bytes_left(bytes);
    size_t count = length < left ? length : left;

    if (count > 0) {
        memcpy(to, bytes->data + bytes->taken, count);
    }
    bytes->taken += count;
    if (bytes->taken == bytes->length) {
        bytes->taken = bytes->length = 0;
    }
    return count;
}

void wire_bytes_deinit(struct wire_bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct wire_bytes){0};
}

bool wire_text_equals(struct wire_text text, const void *data, size_t length)
{
    return text.length == length && (length == 0 || memcmp(text.data, data, length) == 0);
}

/* ---- writing -------------------------------------------------------------------------------- */

static size_t put_varint(uint8_t *to, uint64_t value)
{
    size_t length = 0;

    for (; value >= 0x80; value >>= 7) {
        to[length++] = (uint8_t)(value | 0x80);
    }
    to[length++] = (uint8_t)value;
    return length;
}

static size_t put_tag(uint8_t *to, unsigned field, unsigned type)
{
    *to = (uint8_t)(field << 3 | type);
    return 1;
}

static size_t put_name(uint8_t *to, unsigned field, struct wire_text name)
{
    size_t length = name.length < WIRE_NAME_MAX ? name.length : WIRE_NAME_MAX;

    if (length == 0) {
        return 0;
    }
    to += put_tag(to, field, TYPE_BYTES);
    *to++ = (uint8_t)length;
    memcpy(to, name.data, length);
    return 2 + length;
}

void wire_write_ping(struct wire_bytes *to, const struct wire_ping *ping)
{
    uint8_t head[PREFIX_SIZE + 2 * (2 + WIRE_NAME_MAX) + 2 * (1 + VARINT_MAX)] = {0};
    size_t length = PREFIX_SIZE;

    if (ping->sequence != 0) {
        length += put_tag(head + length, FIELD_SEQUENCE, TYPE_VARINT);
        length += put_varint(head + length, ping->sequence);
    }
    length += put_name(head + length, FIELD_VERSION, ping->server_version);
    length += put_name(head + length, FIELD_ID, ping->server_id);
    length += put_tag(head + length, FIELD_MESSAGE, TYPE_BYTES);
    length += put_varint(head + length, ping->message.length);
    size_t size = length - PREFIX_SIZE + ping->message.length;
    for (unsigned i = 0; i < 4; i++) {
        head[1 + i] = (uint8_t)(size >> (24 - 8 * i));
    }
    wire_bytes_add(to, head, length);
    wire_bytes_add(to, ping->message.data, ping->message.length);
}

/* ---- reading -------------------------------------------------------------------------------- */

struct reader {
    const uint8_t *at, *end;
};

static int get_varint(struct reader *reader, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
        uint8_t byte = *reader->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return 0;
        }
    }
    return -1;
}

static int get_text(struct reader *reader, uint64_t length, struct wire_text *ret_text)
{
    if (length > (uint64_t)(reader->end - reader->at)) {
        return -1;
    }
    *ret_text = (struct wire_text){reader->at, (size_t)length};
    reader->at += length;
    return 0;
}

static int get_bytes(struct reader *reader, uint64_t field, struct wire_ping *ping)
{
    struct wire_text unknown;
    uint64_t length;

    if (get_varint(reader, &length) != 0) {
        return -1;
    }
    return get_text(reader, length,
                    field == FIELD_MESSAGE   ? &ping->message
                    : field == FIELD_VERSION ? &ping->server_version
                    : field == FIELD_ID      ? &ping->server_id
                                             : &unknown);
}

static int get_field(struct reader *reader, struct wire_ping *ping)
{
    struct wire_text skipped;
    uint64_t tag, value;

    if (get_varint(reader, &tag) != 0) {
        return -1;
    }
    switch (tag & 7) {
    case TYPE_VARINT:
        return get_varint(reader, tag >> 3 == FIELD_SEQUENCE ? &ping->sequence : &value);
    case TYPE_FIXED64:
        return get_text(reader, 8, &skipped);
    case TYPE_FIXED32:
        return get_text(reader, 4, &skipped);
    case TYPE_BYTES:
        return get_bytes(reader, tag >> 3, ping);
    default:
        return -1;
    }
}

int wire_read_ping(const uint8_t *data, size_t length, struct wire_ping *ret_ping)
{
    struct reader reader = {data, data + length};
    struct wire_ping ping = {0};

    while (reader.at < reader.end) {
        if (get_field(&reader, &ping) != 0) {
            return -1;
        }
    }
    *ret_ping = ping;
    return 0;
}

/* ---- splitting ------------------------------------------------------------------------------ */

/* Hands on all whole messages; returns as wire_split(), and where the unfinished one begins. */
static int split_whole(const uint8_t *data, size_t length, wire_message_cb on_message, void *user,
                       size_t *ret_used)
{
    size_t used = 0;
    int rc = 0;

    while (rc == 0 && length - used >= PREFIX_SIZE) {
        const uint8_t *at = data + used;
        size_t size = (size_t)at[1] << 24 | (size_t)at[2] << 16 | (size_t)at[3] << 8 | at[4];
        if (at[0] != 0 || size > WIRE_MESSAGE_MAX) {
            return -1;
        }
        if (length - used - PREFIX_SIZE < size) {
            break;
        }
        used += PREFIX_SIZE + size;
        rc = on_message(user, at + PREFIX_SIZE, size);
    }
    *ret_used = used;
    return rc;
}

int wire_split(struct wire_bytes *held, const uint8_t *data, size_t length,
               wire_message_cb on_message, void *user)
{
    bool holding = held->length > 0;
    size_t used = 0;

    if (holding) {
        wire_bytes_add(held, data, length);
        data = held->data;
        length = held->length;
    }
    int rc = split_whole(data, length, on_message, user, &used);
    if (rc != 0) {
        return rc;
    }
    if (!holding) {
        wire_bytes_add(held, data + used, length - used);
    } else {
        memmove(held->data, held->data + used, length - used);
        held->length = length - used;
    }
    return 0;
}
