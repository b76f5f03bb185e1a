/* A listening socket that hands over streams which are ready to use (handshake done).
 *
 * Where several threads serve, one of them listens and gives what it accepts to the listeners of
 * the others, which have no socket: net_listener_open_fed(), net_listener_take().
 *
 * Failure modes: a handshake that fails or takes longer than its limit is closed and counted; at
 * the descriptor limit accepting pauses for a second with one log-worthy callback, so the loop
 * never spins. */
#ifndef GRPCROUTE_NET_LISTENER_H
#define GRPCROUTE_NET_LISTENER_H

#include "base/text.h"
#include "net/error.h"
#include "net/loop.h"
#include "net/tls.h"

#include <stdbool.h>
#include <stdint.h>

/* From its begin: for the client's hello, and for all of it. gRPC clients give themselves 20 s
 * (grpc's "connection backoff" document, MIN_CONNECT_TIMEOUT): whoever is cut earlier would have
 * come through, as clients on a busy machine do when a whole fleet comes back at once. */
#define NET_HELLO_MS     10000
#define NET_HANDSHAKE_MS 20000
/* After EMFILE, how long to wait before accepting again. */
#define NET_ACCEPT_PAUSE_MS 1000

struct net_listener;
struct net_stream;

struct net_listener_events {
    /* `stream` is moved to the callee, who must start or close it. */
    void (*on_stream)(void *user, struct net_stream *stream);
    /* A connection was lost before it became a stream: failed or slow handshake (the address is in
     * the text), or NET_FD_LIMIT, at most once per pause. May be NULL. */
    void (*on_refused)(void *user, const struct net_error *why);
    /* A descriptor was accepted and is moved to the callee, who gives it to a listener. NULL: this
     * one keeps it. */
    void (*on_accepted)(void *user, int fd);
};

struct net_listener_config {
    struct text_address address; /* port 0: any free one */
    struct net_tls *tls;         /* borrowed; NULL: plaintext */
};

/* Binds and listens. NULL on failure with a sentence such as "address 127.0.0.1:8443 is in use".
 * An empty host means all interfaces, IPv6 and IPv4. */
struct net_listener *net_listener_open(struct net_loop *loop,
                                       const struct net_listener_config *config,
                                       const struct net_listener_events *events, void *user,
                                       struct net_error *ret_error);

/* The same without a socket: it makes streams only of what net_listener_take() gives it, with the
 * handshake on its loop. `tls` is borrowed; NULL: plaintext. */
struct net_listener *net_listener_open_fed(struct net_loop *loop, struct net_tls *tls,
                                           const struct net_listener_events *events, void *user);

/* Takes a descriptor that was accepted, on the listener's thread. on_stream or on_refused follows,
 * unless it is closed before. */
void net_listener_take(struct net_listener *listener, int fd);

/* Connections accepted from now on are shown what `tls` has (borrowed). Plaintext stays plaintext:
 * NULL for NULL. */
void net_listener_set_tls(struct net_listener *listener, struct net_tls *tls);

/* The port in use, also when 0 was asked for; "HOST:PORT" text for messages. */
uint16_t net_listener_port(const struct net_listener *listener);
const char *net_listener_name(const struct net_listener *listener);

/* Stops accepting, drops unfinished handshakes; the memory goes with the closed handles. Accepts
 * NULL. */
void net_listener_close(struct net_listener *listener);

#endif
