#include "rpc/probe_reader.h"

#include "rpc/frame.h"
#include "rpc/probe.h"

#include <string.h>

enum { TAG_SEQUENCE = 1 << 3, TAG_PAYLOAD = 2 << 3 | 2 };

/* Takes up to `wanted` bytes of look[] from the input; returns how many it took. */
static size_t fill(struct rpc_probe_reader *reader, const uint8_t *bytes, size_t len, size_t wanted)
{
    size_t missing = wanted > reader->look_len ? wanted - reader->look_len : 0;
    size_t take = missing < len ? missing : len;
    if (take > 0) { /* memcpy of nothing from NULL is undefined */
        memcpy(reader->look + reader->look_len, bytes, take);
        reader->look_len += take;
    }
    return take;
}

/* Looks at a complete prefix. Returns 0 or an outcome. */
static int read_prefix(struct rpc_probe_reader *reader)
{
    size_t len = rpc_frame_length(reader->look);
    if (reader->look[0] != 0) {
        return reader->look[0] == 1 ? RPC_FRAME_E_COMPRESSED : RPC_FRAME_E_FLAG;
    }
    if (len > RPC_PROBE_MESSAGE_BYTES) {
        return RPC_FRAME_E_TOO_LARGE;
    }
    reader->message_bytes = len;
    reader->left_bytes = len;
    return 0;
}

/* What of the message is looked at. */
static size_t look_bytes(const struct rpc_probe_reader *reader)
{
    size_t room = RPC_PROBE_LOOK_BYTES - RPC_FRAME_PREFIX_BYTES;
    return reader->message_bytes < room ? reader->message_bytes : room;
}

static bool take_varint(const uint8_t **at, const uint8_t *end, uint64_t *ret)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *ret = value;
            return true;
        }
    }
    return false;
}

/* Reads the front of a message as our clients write it: the sequence, then the payload, which is
 * longer than what is looked at. Returns 0 or RPC_PROBE_READER_E_MALFORMED. */
static int read_front(const uint8_t *bytes, size_t len, size_t message_bytes,
                      struct rpc_probe_request *ret)
{
    const uint8_t *at = bytes;
    const uint8_t *end = bytes + len;
    uint64_t tag;
    uint64_t number;
    *ret = (struct rpc_probe_request){.sequence = 0};
    while (take_varint(&at, end, &tag) && take_varint(&at, end, &number)) {
        if (tag == TAG_SEQUENCE) {
            ret->sequence = number;
        } else if (tag != TAG_PAYLOAD) {
            return RPC_PROBE_READER_E_MALFORMED;
        } else if (number > message_bytes - (size_t)(at - bytes)) {
            return RPC_PROBE_READER_E_MALFORMED;
        } else {
            ret->payload_len = (size_t)number;
            return 0;
        }
    }
    return RPC_PROBE_READER_E_MALFORMED;
}

static int begin(struct rpc_probe_reader *reader, const struct rpc_probe_reader_events *events,
                 void *ctx)
{
    const uint8_t *message = reader->look + RPC_FRAME_PREFIX_BYTES;
    size_t len = look_bytes(reader);
    struct rpc_probe_request request;
    reader->begun = true;
    int rv = len == reader->message_bytes
                 ? rpc_probe_request_decode(message, len, &request)
                 : read_front(message, len, reader->message_bytes, &request);
    if (rv != 0) {
        return RPC_PROBE_READER_E_MALFORMED;
    }
    return events->on_begin(ctx, request.sequence, request.payload_len) ? 0 : RPC_FRAME_E_STOPPED;
}

/* The message goes on, or is over. */
static int more(struct rpc_probe_reader *reader, const struct rpc_probe_reader_events *events,
                void *ctx)
{
    size_t left = reader->left_bytes;
    if (left == 0) {
        reader->look_len = 0;
        reader->begun = false;
    }
    return events->on_more(ctx, left) ? 0 : RPC_FRAME_E_STOPPED;
}

/* Reads on behind a complete prefix; returns 0 or an outcome, and how many bytes it took. */
static int read_message(struct rpc_probe_reader *reader, const uint8_t *bytes, size_t len,
                        const struct rpc_probe_reader_events *events, void *ctx, size_t *ret_taken)
{
    size_t taken = 0;
    if (!reader->begun) {
        size_t wanted = RPC_FRAME_PREFIX_BYTES + look_bytes(reader);
        taken = fill(reader, bytes, len, wanted);
        reader->left_bytes -= taken;
        *ret_taken = taken;
        if (reader->look_len < wanted) {
            return 0;
        }
        int rv = begin(reader, events, ctx);
        if (rv != 0) {
            return rv;
        }
    }
    size_t passed = reader->left_bytes < len - taken ? reader->left_bytes : len - taken;
    reader->left_bytes -= passed;
    *ret_taken = taken + passed;
    return more(reader, events, ctx);
}

int rpc_probe_reader_feed(struct rpc_probe_reader *reader, const uint8_t *bytes, size_t len,
                          const struct rpc_probe_reader_events *events, void *ctx)
{
    int rv = 0;
    while (rv == 0 && len > 0) {
        size_t taken = 0;
        if (reader->look_len < RPC_FRAME_PREFIX_BYTES) {
            taken = fill(reader, bytes, len, RPC_FRAME_PREFIX_BYTES);
            rv = reader->look_len == RPC_FRAME_PREFIX_BYTES ? read_prefix(reader) : 0;
        }
        bytes += taken;
        len -= taken;
        if (rv == 0 && reader->look_len >= RPC_FRAME_PREFIX_BYTES) {
            rv = read_message(reader, bytes, len, events, ctx, &taken);
            bytes += taken;
            len -= taken;
        }
    }
    return rv;
}

bool rpc_probe_reader_pending(const struct rpc_probe_reader *reader)
{
    return reader->look_len > 0;
}
