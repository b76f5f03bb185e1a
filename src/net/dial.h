/* Making one outgoing connection: resolve, try every address in turn, TLS handshake.
 *
 * Happy path: getaddrinfo beside the loop -> connect to the first address that answers -> TLS
 * with SNI, chain, host name and ALPN h2 checked -> on_done with a stream. Failure modes: each
 * gives one net_error that names the cause: no such name, all addresses refused (the last error,
 * and how many were tried), timeout, each TLS reason apart. */
#ifndef GRPCROUTE_NET_DIAL_H
#define GRPCROUTE_NET_DIAL_H

#include "net/error.h"
#include "net/loop.h"
#include "net/tls.h"

struct net_dial;
struct net_stream;

/* Exactly once, never before net_dial_start() returns. On success `stream` is moved to the callee
 * and `error` is NULL; otherwise `stream` is NULL. The net_dial is gone when it returns. */
typedef void (*net_dial_done_fn)(void *user, struct net_stream *stream,
                                 const struct net_error *error);

struct net_dial_config {
    const char *host; /* name or address; copied */
    uint16_t port;    /* 0: `address` has it, and `host` is what it is called in messages */
    const struct sockaddr *address; /* non-NULL: connect here without resolving; copied */
    struct net_tls *tls;            /* borrowed until done; NULL: plaintext */
    const char *server_name; /* SNI and the name the certificate must carry; NULL: host; copied */
    uint64_t timeout_ms;     /* for everything together */
};

/* Starts; allocation is the only thing that can fail here and ends the program. */
struct net_dial *net_dial_start(struct net_loop *loop, const struct net_dial_config *config,
                                net_dial_done_fn on_done, void *user);

/* Gives up: on_done will not be called, resources go in later turns of the loop. */
void net_dial_cancel(struct net_dial *dial);

#endif
