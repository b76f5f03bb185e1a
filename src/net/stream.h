/* One established byte stream: TCP, or TLS on TCP after its handshake. Callers see plaintext.
 *
 * Happy path: dial or accept gives a stream -> net_stream_start() -> on_data ... ->
 * net_stream_close()
 * -> on_closed, after which the stream frees itself.
 * Failure modes: the peer ends or resets, TLS fails, a write fails: on_closed with the reason,
 * once; nothing is delivered after it. */
#ifndef GRPCROUTE_NET_STREAM_H
#define GRPCROUTE_NET_STREAM_H

#include "net/error.h"
#include "net/loop.h"
#include "net/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_STREAM_ADDRESS_BYTES 64

struct net_stream;

struct net_stream_events {
    /* Plaintext, borrowed until the return (it lies in a buffer of the loop). May close the stream.
     */
    void (*on_data)(void *user, const uint8_t *bytes, size_t len);
    /* All bytes of an earlier write that returned NET_STREAM_E_BLOCKED are with the kernel. */
    void (*on_writable)(void *user);
    /* Exactly once, from the loop and never from within a net_stream_ call; the stream is gone when
     * it returns. `why` is NET_CLOSED after net_stream_close() or the peer's clean end. */
    void (*on_closed)(void *user, const struct net_error *why);
};

enum net_stream_outcome {
    NET_STREAM_E_BLOCKED = 1, /* bytes taken, but the socket is full: wait for on_writable */
};

/* Starts reading. `events` is borrowed for the stream's life. Bytes that came with the handshake
 * are delivered from the loop, not from within this call. */
void net_stream_start(struct net_stream *stream, const struct net_stream_events *events,
                      void *user);

/* Sends `len` bytes, at most NET_WRITE_BYTES, on a started stream: one system call; what the socket
 * does not take is kept (so a stream holds one such rest; do not write while net_stream_blocked(),
 * which a TLS answer to the peer can also bring about). Returns 0, NET_STREAM_E_BLOCKED, or a
 * negative error after which on_closed follows by itself. */
int net_stream_write(struct net_stream *stream, const uint8_t *bytes, size_t len);

/* True between NET_STREAM_E_BLOCKED and on_writable. */
bool net_stream_blocked(const struct net_stream *stream);

/* Stops and resumes reading from the socket (backpressure on a whole connection). What was already
 * read is still delivered: at most NET_READ_BYTES. */
void net_stream_pause(struct net_stream *stream);
void net_stream_resume(struct net_stream *stream);

/* Sends what is still kept, TLS close_notify and FIN, waits for the peer's end so that no reset
 * overtakes the last bytes, all for at most 1 s; then on_closed. No data is delivered meanwhile.
 * Harmless when already closing. Also the way to drop a stream that was never started (it then ends
 * without any callback). */
void net_stream_close(struct net_stream *stream);
/* The same without waiting or sending: the peer sees a reset. */
void net_stream_abort(struct net_stream *stream);

/* Nothing comes or goes for a while, says the owner: what TLS holds of an open stream is put away
 * until something does, which then costs a few microseconds more. Harmless at any time. */
void net_stream_rest(struct net_stream *stream);

struct net_loop *net_stream_loop(const struct net_stream *stream);
/* "127.0.0.1:41234" or "[::1]:41234", for the stream's life. */
const char *net_stream_peer(const struct net_stream *stream);
/* This end's, in the same form; "" where the system does not tell. */
char *net_stream_local(const struct net_stream *stream, char out[static NET_STREAM_ADDRESS_BYTES]);
/* A number of the network that the peer is in: of its address, or the first 64 bits of an address
 * of IPv6, as one machine has all of the rest. */
uint64_t net_stream_network(const struct net_stream *stream);

/* What became of the client's certificate, which nobody asks for without TLS. */
enum net_credential net_stream_credential(const struct net_stream *stream);
/* Returns false where the peer showed no certificate. */
bool net_stream_peer_expiry(const struct net_stream *stream, struct net_expiry *ret_expiry);
/* Who a client proved to be by its certificate, as Envoy writes x-forwarded-client-cert: owned text
 * of visible ASCII; NULL: it showed none. */
char *net_stream_peer_identity(const struct net_stream *stream);
/* The same in one name: the first URI of its certificate, else the first DNS name, else the
 * subject. */
char *net_stream_peer_name(const struct net_stream *stream);
/* "TLSv1.3"; NULL without TLS. Static. */
const char *net_stream_tls_version(const struct net_stream *stream);
/* Bytes of user memory held for sending. */
size_t net_stream_kept_bytes(const struct net_stream *stream);

#endif
