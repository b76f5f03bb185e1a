/* The inside of a stream, for dialer, listener and TLS; nobody else includes it. */
#ifndef GRPCROUTE_NET_STREAM_IMPL_H
#define GRPCROUTE_NET_STREAM_IMPL_H

#include "net/stream.h"
#include "net/tls.h"

struct net_tls_io;

/* A stream that already keeps this much for a full socket fails at the next write. */
#define NET_KEPT_MAX_BYTES (4 * NET_CIPHER_BYTES)
/* How long a closing stream may go on sending and wait for the peer's end. */
#define NET_LINGER_MS 1000

enum net_stream_state {
    NET_STREAM_SETUP,     /* connecting, or in its TLS handshake; belongs to dialer or listener */
    NET_STREAM_READY,     /* handed over, not started, not reading */
    NET_STREAM_OPEN,      /* delivers data */
    NET_STREAM_LINGERING, /* closing: sends the rest, drops what still arrives */
    NET_STREAM_CLOSING,   /* the handle is closing; on_closed comes next */
};

/* Exactly once, from the loop, unless the owner closes the stream before; NULL: success. The stream
 * remains the callee's, also after an error. */
typedef void (*net_stream_ready_fn)(void *owner, const struct net_error *error);

/* Asked before bytes of a handshake are read, as what follows of them may cost a millisecond.
 * False: they stay where they are and nothing is read until net_stream_shake_on(). */
typedef bool (*net_stream_may_shake_fn)(void *owner);

struct net_stream {
    uv_tcp_t tcp; /* its data is the stream */
    struct net_loop *loop;
    struct net_traffic *traffic; /* the loop's, for connections of this kind */
    enum net_stream_state state;
    bool paused;
    bool peer_ended;
    bool early; /* something came with the handshake and is to be delivered by early_flush */
    struct net_tls_io *tls; /* owned; NULL: plaintext */

    net_stream_ready_fn on_ready;           /* with `user`, during the handshake */
    net_stream_may_shake_fn may_shake;      /* likewise; NULL: always */
    const struct net_stream_events *events; /* with `user`, since net_stream_start() */
    void *user;

    struct net_error *why; /* owned; NULL: NET_CLOSED */
    size_t kept_bytes;     /* in writes that libuv holds */
    uint8_t *early_bytes;  /* owned */
    size_t early_len;
    struct net_flush early_flush;
    struct net_tick linger_tick;
    uint64_t closes_at_ms;

    char peer[64];
};

/* A stream with an unconnected handle, in NET_STREAM_SETUP; owned, ended by net_stream_close() or
 * net_stream_abort(), also without ever having been started. Its bytes are counted in `traffic`, of
 * the loop. */
struct net_stream *net_stream_new(struct net_loop *loop, struct net_traffic *traffic);

/* Notes the addresses and switches Nagle's algorithm off, once the socket is connected. */
void net_stream_connected(struct net_stream *stream);

/* Makes a connected stream ready: at once without TLS, else after the handshake. `peer_label`
 * ("localhost:8443") is for messages and `server_name` the name to verify, NULL on the server's
 * side; both are borrowed until on_ready, which may be called from within this call. */
void net_stream_handshake(struct net_stream *stream, struct net_tls *tls, const char *peer_label,
                          const char *server_name, net_stream_ready_fn on_ready, void *owner);

/* Goes on with a handshake that might not be read. Returns false when it has failed: on_ready was
 * called. */
bool net_stream_shake_on(struct net_stream *stream);

/* Reads until paused or closed. */
void net_stream_start_reading(struct net_stream *stream);
/* For early_flush: delivers what came with the handshake, then starts reading. */
void net_stream_on_early_flush(struct net_flush *flush);

/* Ends the stream with a reason, at once: on_closed follows from the loop. Only for started ones.
 */
void net_stream_fail(struct net_stream *stream, const struct net_error *why);
void net_stream_fail_uv(struct net_stream *stream, int uv_status);
/* The last state: nothing but on_closed follows; with a reset the peer learns nothing else. */
void net_stream_close_handle(struct net_stream *stream, bool reset);
/* Begins to close: close_notify after what is kept, then FIN. Who still waits for the peer's end
 * goes on reading. */
void net_stream_say_goodbye(struct net_stream *stream);
/* Goes on with closing as far as it can now: FIN once everything is sent, away once the peer has
 * ended, too. */
void net_stream_linger(struct net_stream *stream);

/* Sends what TLS has put into the loop's cipher_bytes. Returns like net_stream_write(). */
int net_stream_send_cipher(struct net_stream *stream);

/* Of an accepted stream in its handshake: the client's hello was answered. */
bool net_stream_is_greeted(const struct net_stream *stream);

#endif
