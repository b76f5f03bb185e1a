#include "rpc/frame.h"

/* Where a message that comes in pieces is put together, so that none needs memory of its own: one
 * reader of the thread has it, until another begins such a message, before which what is there
 * moves to the heap. Whose message stays incomplete pays for that. */
static _Thread_local struct {
    struct rpc_frame_reader *holder; /* borrowed until its deinit; NULL: free or lent */
    bool lent;                       /* to who hears of a whole message */
    uint8_t bytes[RPC_FRAME_PREFIX_BYTES + RPC_MESSAGE_LIMIT_BYTES];
} room;

void rpc_frame_reader_init(struct rpc_frame_reader *reader, size_t limit_bytes)
{
    reader->partial = (struct buf){0};
    reader->limit_bytes = limit_bytes;
}

void rpc_frame_reader_deinit(struct rpc_frame_reader *reader)
{
    if (room.holder == reader) {
        room.holder = NULL;
        reader->partial = (struct buf){0};
    }
    buf_deinit(&reader->partial);
}

/* Returns whether the room is free now. */
static bool vacate_room(void)
{
    struct rpc_frame_reader *holder = room.holder;
    if (room.lent || holder == NULL) {
        return !room.lent;
    }
    struct buf moved = {0};
    if (buf_append(&moved, buf_data(&holder->partial), holder->partial.len, SIZE_MAX) != 0) {
        return false;
    }
    holder->partial = moved;
    room.holder = NULL;
    return true;
}

/* For a message of which nothing is held yet. */
static void take_room(struct rpc_frame_reader *reader, size_t whole)
{
    if (whole <= sizeof(room.bytes) && vacate_room()) {
        room.holder = reader;
        reader->partial = (struct buf){.storage = room.bytes, .capacity = sizeof(room.bytes)};
    }
}

/* The callback may feed or deinit the reader. */
static bool deliver_partial(struct rpc_frame_reader *reader, rpc_message_fn on_message, void *ctx)
{
    struct buf whole = reader->partial;
    bool lend = room.holder == reader;
    reader->partial = (struct buf){0};
    if (lend) {
        room.holder = NULL;
        room.lent = true;
    }
    bool go_on = on_message(ctx, buf_data(&whole) + RPC_FRAME_PREFIX_BYTES,
                            whole.len - RPC_FRAME_PREFIX_BYTES);
    if (lend) {
        room.lent = false;
    } else {
        buf_deinit(&whole);
    }
    return go_on;
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
        *ret_rv = deliver_partial(reader, on_message, ctx) ? 0 : RPC_FRAME_E_STOPPED;
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
            take_room(reader, RPC_FRAME_PREFIX_BYTES + body);
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
