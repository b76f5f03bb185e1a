/* gRPC's length-prefixed messages (PROTOCOL-HTTP2.md, Length-Prefixed-Message) over arbitrary DATA
 * borders. A message that lies whole in the bytes fed is delivered without a copy, one that comes
 * in pieces with one copy and, up to RPC_MESSAGE_LIMIT_BYTES, without memory of its own, as long as
 * no other of the thread is in pieces at the same time. */
#ifndef GRPCROUTE_RPC_FRAME_H
#define GRPCROUTE_RPC_FRAME_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RPC_FRAME_PREFIX_BYTES 5
/* Largest message of our services; checked on the prefix, before anything is allocated. */
#define RPC_MESSAGE_LIMIT_BYTES (64 * 1024)

/* The length of the message that begins with these RPC_FRAME_PREFIX_BYTES. */
static inline uint32_t rpc_frame_length(const uint8_t *prefix)
{
    return (uint32_t)prefix[1] << 24 | (uint32_t)prefix[2] << 16 | (uint32_t)prefix[3] << 8 |
           prefix[4];
}

enum rpc_frame_outcome {
    RPC_FRAME_E_TOO_LARGE = 1, /* RESOURCE_EXHAUSTED */
    /* Flag 1 without an encoding we know: INTERNAL; with one: UNIMPLEMENTED. */
    RPC_FRAME_E_COMPRESSED = 2,
    RPC_FRAME_E_FLAG = 3,    /* flag above 1: INTERNAL */
    RPC_FRAME_E_STOPPED = 4, /* the callback returned false */
};

/* A whole message, borrowed; return false to stop reading. */
typedef bool (*rpc_message_fn)(void *ctx, const uint8_t *bytes, size_t len);

struct rpc_frame_reader {
    struct buf partial; /* prefix and body of a message that is not complete; see frame.c */
    size_t limit_bytes;
};

/* A reader is of one thread and one place from its first feed to its deinit. */
void rpc_frame_reader_init(struct rpc_frame_reader *reader, size_t limit_bytes);
void rpc_frame_reader_deinit(struct rpc_frame_reader *reader);

/* Returns 0, a positive outcome, or -ENOMEM. */
int rpc_frame_reader_feed(struct rpc_frame_reader *reader, const uint8_t *bytes, size_t len,
                          rpc_message_fn on_message, void *ctx);

/* True when the stream ended inside a message. */
bool rpc_frame_reader_pending(const struct rpc_frame_reader *reader);

/* Writes the prefix of an uncompressed message of `len` bytes. */
void rpc_frame_prefix(uint8_t out[static RPC_FRAME_PREFIX_BYTES], size_t len);

#endif
