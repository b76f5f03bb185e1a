/* The messages of Run, whose payload is never copied on the way in, nor made on the way out. */
#include "rpc/field.h"
#include "rpc/probe.h"

#include <stdio.h>
#include <string.h>

enum { REQUEST_SEQUENCE = 1, REQUEST_PAYLOAD = 2 };
enum {
    RESPONSE_SEQUENCE = 1,
    RESPONSE_PAYLOAD = 2,
    RESPONSE_SERVER_ID = 3,
    RESPONSE_RECEIVED = 4,
    RESPONSE_RECEIVED_BYTES = 5,
};
enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };
/* The longest tag, length or number of these messages. */
#define VARINT_BYTES 10

/* ---- encode ---------------------------------------------------------------------------------- */

/* Each appends to `out`, which is large enough, and returns where it ends then. */
static uint8_t *put_varint(uint8_t *out, uint64_t value)
{
    for (; value > 0x7f; value >>= 7) {
        *out++ = (uint8_t)(value | 0x80);
    }
    *out++ = (uint8_t)value;
    return out;
}

static uint8_t *put_number(uint8_t *out, unsigned field, uint64_t value)
{
    if (value == 0) {
        return out;
    }
    return put_varint(put_varint(out, field << 3 | WIRE_VARINT), value);
}

static uint8_t *put_payload(uint8_t *out, unsigned field, size_t len)
{
    if (len == 0) {
        return out;
    }
    return put_varint(put_varint(out, field << 3 | WIRE_BYTES), len);
}

size_t rpc_probe_request_encode(const struct rpc_probe_request *request, uint8_t *out,
                                size_t out_bytes)
{
    uint8_t head[4 * VARINT_BYTES];
    uint8_t *end = put_number(head, REQUEST_SEQUENCE, request->sequence);
    end = put_payload(end, REQUEST_PAYLOAD, request->payload_len);
    size_t len = (size_t)(end - head);
    if (len > out_bytes || request->payload_len > out_bytes - len) {
        return 0;
    }
    memcpy(out, head, len);
    if (request->payload != NULL) {
        memcpy(out + len, request->payload, request->payload_len);
    } else {
        memset(out + len, 0, request->payload_len);
    }
    return len + request->payload_len;
}

size_t rpc_probe_response_head(const struct rpc_probe_response *response,
                               uint8_t out[static RPC_PROBE_HEAD_BYTES])
{
    size_t id_len = strnlen(response->server_id, sizeof(response->server_id) - 1);
    uint8_t *end = put_number(out, RESPONSE_SEQUENCE, response->sequence);
    if (id_len > 0) {
        end = put_payload(end, RESPONSE_SERVER_ID, id_len);
        memcpy(end, response->server_id, id_len);
        end += id_len;
    }
    end = put_number(end, RESPONSE_RECEIVED, response->received);
    end = put_number(end, RESPONSE_RECEIVED_BYTES, response->received_bytes);
    end = put_payload(end, RESPONSE_PAYLOAD, response->payload_len);
    return (size_t)(end - out);
}

/* ---- decode ---------------------------------------------------------------------------------- */

int rpc_probe_request_decode(const uint8_t *bytes, size_t len, struct rpc_probe_request *ret)
{
    struct rpc_field_walk walk = {bytes, bytes + len};
    struct rpc_field_value value;
    struct rpc_probe_request request = {.sequence = 0};
    int64_t number;
    while ((number = rpc_field_next(&walk, &value)) > 0) {
        if (number == REQUEST_SEQUENCE && value.bytes == NULL) {
            request.sequence = value.number;
        } else if (number == REQUEST_PAYLOAD && value.bytes != NULL) {
            request.payload = value.bytes;
            request.payload_len = value.len;
        }
    }
    if (number < 0) {
        return 1;
    }
    *ret = request;
    return 0;
}

/* Takes what a response's field says; others are passed over. */
static void take_response(struct rpc_probe_response *response, int64_t number,
                          const struct rpc_field_value *value)
{
    bool is_number = value->bytes == NULL;
    if (number == RESPONSE_SEQUENCE && is_number) {
        response->sequence = value->number;
    } else if (number == RESPONSE_RECEIVED && is_number) {
        response->received = value->number;
    } else if (number == RESPONSE_RECEIVED_BYTES && is_number) {
        response->received_bytes = value->number;
    } else if (number == RESPONSE_PAYLOAD && !is_number) {
        response->payload = value->bytes;
        response->payload_len = value->len;
    } else if (number == RESPONSE_SERVER_ID && !is_number) {
        snprintf(response->server_id, sizeof(response->server_id), "%.*s",
                 value->len < sizeof(response->server_id) ? (int)value->len
                                                          : (int)sizeof(response->server_id) - 1,
                 (const char *)value->bytes);
    }
}

int rpc_probe_response_decode(const uint8_t *bytes, size_t len, struct rpc_probe_response *ret)
{
    struct rpc_field_walk walk = {bytes, bytes + len};
    struct rpc_field_value value;
    int64_t number;
    *ret = (struct rpc_probe_response){.sequence = 0};
    while ((number = rpc_field_next(&walk, &value)) > 0) {
        take_response(ret, number, &value);
    }
    return number < 0;
}
