#include "rpc/frame.h"

void rpc_frame_reader_init(struct rpc_frame_reader *reader, size_t limit_bytes)
{
    reader->partial = (struct buf){0};
    reader->limit_bytes = limit_bytes;
}

void rpc_frame_reader_deinit(struct rpc_frame_reader *reader)
{
    buf_deinit(&reader->partial);
}

/* Looks at a prefix. Returns 0 with the body's length, or an outcome. */
static int read_prefix(const struct rpc_frame_reader *reader, const uint8_t *prefix,
                       size_t *ret_len)
{
    size_t len = rpc_frame_length(prefix);
    if (prefix[0] != 0) {
        return prefix[0] == 1 ? RPC_FRAME_E_COMPRESSED : RPC_FRAME_E_FLAG;
    }
    if (len > reader->limit_bytes) {
        return RPC_FRAME_E_TOO_LARGE;
    }
    *ret_len = len;
    return 0;
}

/* Moves bytes from the input until `partial` holds `wanted`. Returns how many, or -ENOMEM. */
static ptrdiff_t complete(struct rpc_frame_reader *reader, const uint8_t *bytes, size_t len,
                          size_t wanted)
{
    size_t missing = wanted > reader->partial.len ? wanted - reader->partial.len : 0;
    size_t take = missing < len ? missing : len;
    int rv = take > 0 ? buf_append(&reader->partial, bytes, take, wanted) : 0;
    return rv != 0 ? rv : (ptrdiff_t)take;
}

/* Continues the message that an earlier feed left incomplete. Returns bytes taken, or -1 with
 * `ret_rv`. */
static ptrdiff_t feed_partial(struct rpc_frame_reader *reader, const uint8_t *bytes, size_t len,
                              rpc_message_fn on_message, void *ctx, int *ret_rv)
{
    ptrdiff_t taken = complete(reader, bytes, len, RPC_FRAME_PREFIX_BYTES);
    *ret_rv = taken < 0 ? (int)taken : 0;
    if (taken < 0 || reader->partial.len < RPC_FRAME_PREFIX_BYTES) {
        return taken;
    }
    size_t body;
    *ret_rv = read_prefix(reader, buf_data(&reader->partial), &body);
    if (*ret_rv != 0) {
        return -1;
    }
    ptrdiff_t more =
        complete(reader, bytes + taken, len - (size_t)taken, RPC_FRAME_PREFIX_BYTES + body);
    if (more < 0) {
        *ret_rv = (int)more;
        return -1;
    }
    if (reader->partial.len == RPC_FRAME_PREFIX_BYTES + body) {
        struct buf whole = reader->partial; /* the callback may feed or deinit the reader */
        reader->partial = (struct buf){0};
        bool go_on = on_message(ctx, buf_data(&whole) + RPC_FRAME_PREFIX_BYTES, body);
        buf_deinit(&whole);
        *ret_rv = go_on ? 0 : RPC_FRAME_E_STOPPED;
    }
    return *ret_rv != 0 ? -1 : taken + more;
}

int rpc_frame_reader_feed(struct rpc_frame_reader *reader, const uint8_t *bytes, size_t len,
                          rpc_message_fn on_message, void *ctx)
{
    while (len > 0) {
        size_t body = 0;
        int rv = 0;
        if (reader->partial.len == 0 && len >= RPC_FRAME_PREFIX_BYTES) {
            rv = read_prefix(reader, bytes, &body);
            if (rv != 0) {
                return rv;
            }
            if (len - RPC_FRAME_PREFIX_BYTES >= body) { /* whole: no copy */
                if (!on_message(ctx, bytes + RPC_FRAME_PREFIX_BYTES, body)) {
                    return RPC_FRAME_E_STOPPED;
                }
                bytes += RPC_FRAME_PREFIX_BYTES + body;
                len -= RPC_FRAME_PREFIX_BYTES + body;
                continue;
            }
        }
        ptrdiff_t taken = feed_partial(reader, bytes, len, on_message, ctx, &rv);
        if (rv != 0) {
            return rv;
        }
        bytes += taken;
        len -= (size_t)taken;
    }
    return 0;
}

bool rpc_frame_reader_pending(const struct rpc_frame_reader *reader)
{
    return reader->partial.len > 0;
}

void rpc_frame_prefix(uint8_t out[static RPC_FRAME_PREFIX_BYTES], size_t len)
{
    out[0] = 0;
    out[1] = (uint8_t)(len >> 24);
    out[2] = (uint8_t)(len >> 16);
    out[3] = (uint8_t)(len >> 8);
    out[4] = (uint8_t)len;
}
