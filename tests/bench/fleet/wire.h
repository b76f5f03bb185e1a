/* The frames that the fleet sends: RFC 9113, RFC 7541, and gRPC's PROTOCOL-HTTP2, byte by byte. */
#ifndef FLEET_WIRE_H
#define FLEET_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define WIRE_DATA          0
#define WIRE_HEADERS       1
#define WIRE_RST_STREAM    3
#define WIRE_SETTINGS      4
#define WIRE_PING          6
#define WIRE_GOAWAY        7
#define WIRE_WINDOW_UPDATE 8
#define WIRE_END_STREAM    1
#define WIRE_ACK           1
#define WIRE_END_HEADERS   4
/* More than any of them is. */
#define WIRE_MOST_BYTES 512

/* Each writes to `out` and returns the bytes. */
size_t wire_frame(unsigned char *out, unsigned type, unsigned flags, uint32_t stream,
                  const void *payload, size_t len);
/* The preface, SETTINGS, and a window for all that will ever come. */
size_t wire_greeting(unsigned char *out);
/* The call of PingPong of an agent of version v1.1. */
size_t wire_call(unsigned char *out, uint32_t stream);
/* A PingRequest. */
size_t wire_ping(unsigned char *out, uint32_t stream);

#endif
