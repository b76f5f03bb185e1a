/* One libuv loop of one thread, with what its connections share: buffers, a flush list, a tick.
 *
 * A loop turn: libuv reads sockets and runs timers; whoever then has bytes to send asks for a
 * flush; before the loop blocks again, every asker is flushed once, so all frames of a connection
 * leave in one write. */
#ifndef GRPCROUTE_NET_LOOP_H
#define GRPCROUTE_NET_LOOP_H

#include "base/list.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* One read per readiness goes here; four TLS records. */
#define NET_READ_BYTES (64 * 1024)
/* One TLS record of plaintext (RFC 8446 section 5.1). */
#define NET_RECORD_BYTES (16 * 1024)
/* What one flush of one connection sends at most before others get their turn: four frames of the
 * common size, each with its head, and what is short. */
#define NET_WRITE_BYTES (68 * 1024)
/* Freed pieces that are worth a word to net_loop_freed(): smaller ones are soon used again. */
#define NET_FREED_BYTES (16 * 1024)
/* NET_WRITE_BYTES as TLS records with room for their headers, tags and paddings, and an alert. */
#define NET_CIPHER_BYTES (NET_WRITE_BYTES + 8 * 1024)
/* Of net_loop_space_polls(): a connection is read once per turn, so many bytes a millisecond. */
#define NET_SPACING_MAX_NS UINT64_C(1000000)
/* Period of net_tick callbacks, and so the precision of every liveness limit. */
#define NET_TICK_MS 250

/* Asks for one call of `flush` at the end of the current loop turn. Embedded in the asker, who
 * calls list_init() on the node first and net_loop_flush_cancel() last. */
struct net_flush {
    struct list node;
    bool later; /* ... of the turn after this one, unless something makes it sooner */
    void (*flush)(struct net_flush *self);
};

/* Called every NET_TICK_MS with the loop's time, while listed. Embedded in the asker, who calls
 * list_init() on the node first and net_loop_tick_stop() last. When the process stood still, all
 * that waits in sockets is read before the next tick judges who was late. */
struct net_tick {
    struct list node;
    void (*tick)(struct net_tick *self, uint64_t now_ms);
};

static inline void net_flush_init(struct net_flush *item, void (*flush)(struct net_flush *self))
{
    list_init(&item->node);
    item->later = false;
    item->flush = flush;
}

static inline void net_tick_init(struct net_tick *item,
                                 void (*tick)(struct net_tick *self, uint64_t now_ms))
{
    list_init(&item->node);
    item->tick = tick;
}

/* What says that free memory should go back to the system. */
struct net_spare {
    unsigned churn;       /* connections that came or went since it did */
    unsigned churn_seen;  /* ... at the last tick */
    unsigned quiet_ticks; /* without churn */
    size_t freed_bytes;   /* in large pieces since it did */
    size_t freed_seen;    /* ... at the last tick */
    unsigned still_ticks; /* without many freed bytes */
    unsigned given_back;  /* how often it did */
};

/* Bytes that went through the sockets of one kind of connection: of TLS, where there is TLS, with
 * handshakes. Written by the loop's thread alone. */
struct net_traffic {
    atomic_uint_fast64_t received;
    atomic_uint_fast64_t sent;
};

struct net_loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_idle_t idle; /* active while one of the next two is not empty */
    uv_timer_t timer;
    struct list flushes;
    struct list later; /* those of the next turn */
    struct list ticks;
    uint8_t *read_bytes;   /* owned, NET_READ_BYTES: bytes as read from a socket */
    uint8_t *record_bytes; /* owned, NET_RECORD_BYTES: plaintext of one TLS record */
    uint8_t *write_bytes;  /* owned, NET_WRITE_BYTES: plaintext to send, filled by the flusher */
    uint8_t *cipher_bytes; /* owned, NET_CIPHER_BYTES: TLS records made of write_bytes */
    uint64_t ticked_ms;    /* the last tick */
    uint64_t turn;         /* how many there were */
    uint64_t spacing_ns;   /* of polls, at least; 0: none */
    uint64_t polled_ns;    /* when it polled last, where there is a spacing */
    struct net_traffic accepted; /* connections that came */
    struct net_traffic dialled;  /* and those that were made */
    struct net_spare spare;
};

/* Makes an empty loop, ignores SIGPIPE. Returns 0 or a libuv error. */
int net_loop_init(struct net_loop *loop);

/* A connection has come or gone. When many have and it is quiet again, free memory goes back to the
 * system: a handshake needs more than the connection that it leaves, so thousands at once leave
 * holes everywhere. */
static inline void net_loop_churned(struct net_loop *loop)
{
    loop->spare.churn++;
}

/* `bytes` of memory were freed in one piece. When some MB have been and it is quiet again, it goes
 * back to the system, for the same reason. */
static inline void net_loop_freed(struct net_loop *loop, size_t bytes)
{
    if (bytes >= NET_FREED_BYTES) {
        loop->spare.freed_bytes += bytes;
    }
}

/* From now on polls are at least `ns` nanoseconds apart, at most NET_SPACING_MAX_NS, so that what
 * comes meanwhile is read, and answered, in one turn; 0: none. Who polled last longer ago does not
 * wait: a lone message, and its answer, are as fast as ever. */
void net_loop_space_polls(struct net_loop *loop, uint64_t ns);

/* Runs until nothing is left to wait for or net_loop_stop(). */
void net_loop_run(struct net_loop *loop);
void net_loop_stop(struct net_loop *loop);

/* Frees the loop. Streams, dials and listeners must have been told to close: they get up to 3 s of
 * turns to finish, then it asserts that no handle but its own is left and every list is empty. */
void net_loop_deinit(struct net_loop *loop);

/* Calls `item->flush` once, at the end of this turn; asking twice is harmless. */
void net_loop_flush_soon(struct net_loop *loop, struct net_flush *item);
/* The same at the end of the next turn, which begins at once: what is then read may give more to
 * send with it. When net_loop_flush_soon() is called meanwhile, that holds. */
void net_loop_flush_later(struct net_loop *loop, struct net_flush *item);
void net_loop_flush_cancel(struct net_flush *item);

/* Starts and stops ticks; both may be called from within a tick. A listed tick does not keep the
 * loop alive. */
void net_loop_tick_start(struct net_loop *loop, struct net_tick *item);
void net_loop_tick_stop(struct net_tick *item);

#endif
