/* Pings and pongs as gRPC carries them, encoded and split by hand: proto/ping.proto, gRPC
 * PROTOCOL-HTTP2 "Length-Prefixed-Message". */
#ifndef NGHTTP2_PAIR_WIRE_H
#define NGHTTP2_PAIR_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_NAME_MAX    63              /* of a server's version or id, a byte of length each */
#define WIRE_MESSAGE_MAX (1024U * 1024U) /* what a peer may make us hold */

/* Bytes that grow; all zero is empty. `taken` of them were used up. Owned by whoever holds it. */
struct wire_bytes {
    uint8_t *data;
    size_t length, taken, capacity;
};

void wire_bytes_add(struct wire_bytes *bytes, const void *data, size_t length);

/* Moves up to `length` of what is left to `to`; returns how many. */
size_t wire_bytes_take(struct wire_bytes *bytes, uint8_t *to, size_t length);
size_t wire_bytes_left(const struct wire_bytes *bytes);
void wire_bytes_deinit(struct wire_bytes *bytes);

/* Borrowed from where it was read. */
struct wire_text {
    const uint8_t *data;
    size_t length;
};

bool wire_text_equals(struct wire_text text, const void *data, size_t length);

/* PingRequest or PingResponse: what a request does not have is empty, and then it is not sent. */
struct wire_ping {
    struct wire_text message, server_version, server_id;
    uint64_t sequence; /* 0: none */
};

/* Appends the ping with its gRPC prefix. Version and id have at most WIRE_NAME_MAX bytes. */
void wire_write_ping(struct wire_bytes *to, const struct wire_ping *ping);

/* Reads a message without its prefix. Returns 0, or -1 when it is no protobuf of that shape. */
int wire_read_ping(const uint8_t *data, size_t length, struct wire_ping *ret_ping);

/* Called with each whole message, without its prefix; borrowed for the call. Non-zero stops. */
typedef int (*wire_message_cb)(void *user, const uint8_t *data, size_t length);

/* Splits a stream of bytes, of which `held` keeps an unfinished message. Returns 0, what
 * `on_message` returned, or -1: a message is compressed or longer than WIRE_MESSAGE_MAX. */
int wire_split(struct wire_bytes *held, const uint8_t *data, size_t length,
               wire_message_cb on_message, void *user);

#endif
