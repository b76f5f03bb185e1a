/* Reads nothing but the 9-byte frame headers (RFC 9113 section 4.1) of a byte stream, because nghttp2
 * reports neither unknown frames nor stream ids that go backwards. */
#ifndef GRPCROUTE_H2_FRAME_SCAN_H
#define GRPCROUTE_H2_FRAME_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct h2_frame_head {
    uint32_t length; /* of the payload, in bytes */
    uint8_t type;
    uint8_t flags;
    int32_t stream_id;
};

/* Return false to stop the scan (the connection is to end). */
typedef bool (*h2_frame_head_fn)(void *ctx, const struct h2_frame_head *head);

struct h2_frame_scan {
    size_t skip_bytes; /* preface or payload still to pass over */
    uint8_t head[9];
    size_t head_len;
};

/* `preface_bytes`: 24 for a server's input, 0 for a client's. */
void h2_frame_scan_init(struct h2_frame_scan *scan, size_t preface_bytes);

/* Passes over `len` bytes, calling `on_head` for each frame that begins. Returns false when it did. */
bool h2_frame_scan_feed(struct h2_frame_scan *scan, const uint8_t *bytes, size_t len,
                        h2_frame_head_fn on_head, void *ctx);

#endif
