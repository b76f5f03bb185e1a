/* What a listener has accepted and is not yet a stream for others: waits for its turn, then shakes
 * hands in time.
 *
 *   waiting -> begun -> done
 *                |__ no hello within NET_HELLO_MS, not finished within NET_HANDSHAKE_MS: refused
 *
 * A fleet that comes back at once waits here, and not in the system's queue, which is short: who
 * finds no place there tries again after 1, 3 and 7 s. Time runs from when it is begun.
 *
 * What a client sends in its handshake costs a signature or two, and thousands may say hello in the
 * same moment. So few are read in a turn that established connections are served in between; the
 * others come in their order. */
#ifndef GRPCROUTE_NET_HANDSHAKES_H
#define GRPCROUTE_NET_HANDSHAKES_H

#include "net/error.h"
#include "net/loop.h"
#include "net/tls.h"

#include <stdint.h>

struct net_stream;

/* Called once for each descriptor, unless it is dropped before: `stream` is moved to the callee;
 * NULL: `why` says what became of it. May close the handshakes. */
typedef void (*net_handshakes_done_fn)(void *user, struct net_stream *stream,
                                       const struct net_error *why);

/* Embedded in a listener. */
struct net_handshakes {
    struct net_loop *loop;
    struct net_tls *tls; /* borrowed, for those that are begun from now on; NULL: plaintext */
    net_handshakes_done_fn done;
    void *user;
    uv_idle_t idle; /* runs while some wait, or are held */
    struct net_tick tick;
    struct list waiting;
    struct list begun;   /* without a hello, in the order of their deadlines */
    struct list greeted; /* the client's hello has come; in the same order */
    struct list held;    /* of both: those whose bytes are to be read in a later turn */
    uint64_t turn;       /* of the loop, that the next two are of */
    unsigned turn_begins;
    unsigned turn_steps; /* handshakes that were read */
};

void net_handshakes_init(struct net_handshakes *shakes, struct net_loop *loop, struct net_tls *tls,
                         net_handshakes_done_fn done, void *user);

/* Takes an accepted descriptor. */
void net_handshakes_add(struct net_handshakes *shakes, int fd);

/* Drops all. The memory goes with `on_closed`, for a handle whose data is `user`. */
void net_handshakes_close(struct net_handshakes *shakes, uv_close_cb on_closed);

#endif
