/* The requests of a Run stream as their bytes come: counted and looked at, never kept, so that a
 * message of megabytes costs its server nothing. Pure. */
#ifndef GRPCROUTE_RPC_PROBE_READER_H
#define GRPCROUTE_RPC_PROBE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Prefix, sequence and length of the payload. */
#define RPC_PROBE_LOOK_BYTES 32

struct rpc_probe_reader {
    uint8_t look[RPC_PROBE_LOOK_BYTES]; /* the prefix and what is looked at behind it */
    size_t look_len;
    size_t message_bytes; /* of the message that is being read, without its prefix */
    size_t left_bytes;    /* of these, what is still to come */
    bool begun;           /* on_begin told of it */
};

/* What was read; each returns false to stop. */
struct rpc_probe_reader_events {
    /* Enough of a message came to know these. */
    bool (*on_begin)(void *ctx, uint64_t sequence, size_t payload_bytes);
    /* More of it came; so many bytes are still to come: 0 at its end. Always after on_begin. */
    bool (*on_more)(void *ctx, size_t left_bytes);
};

/* Takes bytes. Returns 0, or enum rpc_frame_outcome: RPC_FRAME_E_TOO_LARGE over
 * RPC_PROBE_MESSAGE_BYTES; RPC_FRAME_E_STOPPED where an event said so; or
 * RPC_PROBE_READER_E_MALFORMED where a message begins as no RunRequest does. What follows the
 * length of the payload is not looked at. After an outcome nothing more may be fed. */
#define RPC_PROBE_READER_E_MALFORMED 100
int rpc_probe_reader_feed(struct rpc_probe_reader *reader, const uint8_t *bytes, size_t len,
                          const struct rpc_probe_reader_events *events, void *ctx);

/* True when the stream ended inside a message. */
bool rpc_probe_reader_pending(const struct rpc_probe_reader *reader);

#endif
