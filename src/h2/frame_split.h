/* Splits the peer's byte stream into frames by their 9-byte headers (RFC 9113 section 4.1): most go
 * on to nghttp2 as they are, some are taken by the session itself. */
#ifndef GRPCROUTE_H2_FRAME_SPLIT_H
#define GRPCROUTE_H2_FRAME_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define H2_FRAME_HEAD_BYTES 9

struct h2_frame_head {
    uint32_t length; /* of the payload, in bytes */
    uint8_t type;
    uint8_t flags;
    int32_t stream_id;
};

enum h2_frame_way {
    H2_FRAME_PASS, /* header and payload go to on_pass */
    H2_FRAME_TAKE, /* the payload goes to on_take; of a frame that has one */
    H2_FRAME_STOP, /* the connection is to end */
};

/* Each byte is handed over before the next header is judged. on_pass and on_take get payloads in
 * pieces as they come, and return 0, or another value that ends the feed. */
struct h2_frame_ops {
    enum h2_frame_way (*on_head)(void *ctx, const struct h2_frame_head *head);
    int (*on_pass)(void *ctx, const uint8_t *bytes, size_t len);
    int (*on_take)(void *ctx, const uint8_t *bytes, size_t len);
};

struct h2_frame_split {
    size_t payload_left; /* of the current frame; or of the preface */
    bool take;
    uint8_t head[H2_FRAME_HEAD_BYTES];
    size_t head_len;
};

/* `preface_bytes`, passed on before the first frame: 24 for a server's input, 0 for a client's. */
void h2_frame_split_init(struct h2_frame_split *split, size_t preface_bytes);

/* Returns 0, what an operation returned, or -1 after H2_FRAME_STOP. */
int h2_frame_split_feed(struct h2_frame_split *split, const uint8_t *bytes, size_t len,
                        const struct h2_frame_ops *ops, void *ctx);

/* Numbers on the wire. */
static inline uint32_t h2_read_u32(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static inline void h2_write_u32(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 24);
    to[1] = (uint8_t)(value >> 16);
    to[2] = (uint8_t)(value >> 8);
    to[3] = (uint8_t)value;
}

/* Writes a frame's header. */
void h2_frame_head_write(uint8_t out[static H2_FRAME_HEAD_BYTES], const struct h2_frame_head *head);

#endif
