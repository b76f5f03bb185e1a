/* net/ in memory, for tests of what stands on it: streams without sockets, dials and listeners
 * that meet without a network, and a clock that stands still until the test moves it.
 *
 * stream.c, dial.c and resolve.c here have every net_stream_, net_dial_, net_listener_ and
 * net_resolve_ function, clock.c the process's clock_gettime(). A test lists `fake_net` among its
 * sources (see meson.build), so that the linker finds these first and takes none of the net
 * library's. All else is real: the loop with its timers, ticks and flushes, and whatever runs on
 * it.
 *
 *   fake_init(&loop) -> the objects under test on it -> fake_advance() ... -> fake_deinit(&loop) */
#ifndef GRPCROUTE_TESTS_FAKE_H
#define GRPCROUTE_TESTS_FAKE_H

#include "net/dial.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/stream.h"

/* Bytes that a side may have under way unread before it is blocked, unless fake_room() says
 * otherwise. */
#define FAKE_ROOM_BYTES (256 * 1024)
/* Loops that may run side by side. */
#define FAKE_LOOPS 4

/* ---- the clock ------------------------------------------------------------------------------- */

/* Starts a loop. The first one starts the clock, too. */
void fake_init(struct net_loop *loop);
/* Lets what is closing finish, then frees the loop as net_loop_deinit() does, with its
 * assertions. */
void fake_deinit(struct net_loop *loop);
/* The same for a loop that its owner makes and frees: after net_loop_init(), before
 * net_loop_deinit(). */
void fake_adopt(struct net_loop *loop);
void fake_release(struct net_loop *loop);
/* After a test that failed halfway: its loops and all on them are left where they are, and no
 * longer turned. */
void fake_forget(void);

uint64_t fake_now_ms(void);
/* One turn of each loop at this instant: timers, ticks, flushes, closed handles, then what has
 * arrived (at most one read per stream, as the kernel would give it). Returns whether anything
 * moved. */
bool fake_turn(void);
/* Turns until nothing moves at this instant. */
void fake_settle(void);
/* Time passes: everything that falls due on the way happens in its order. */
void fake_advance(uint64_t ms);
/* The same until `done`, at most `limit_ms`; returns whether it was. */
bool fake_advance_until(bool (*done)(void *user), void *user, uint64_t limit_ms);
/* Time passes while this process stands still (SIGSTOP, a starved machine): nothing runs, peers
 * included. */
void fake_stand_still(uint64_t ms);

/* ---- streams --------------------------------------------------------------------------------- */

/* Two connected ends. Either is given to an owner as any net_stream is, or held by the test,
 * which then never starts it. */
void fake_pair(struct net_loop *loop, struct net_stream **ret_near, struct net_stream **ret_far);

/* Held ends: what has arrived (up to `capacity` bytes; a held end that takes nothing is a peer
 * that does not read), whether the other end has ended, and bytes to send. net_stream_close()
 * and net_stream_abort() end a held end. */
size_t fake_take(struct net_stream *held, uint8_t *out, size_t capacity);
bool fake_ended(const struct net_stream *held);
void fake_put(struct net_stream *held, const void *bytes, size_t len);

/* What this side sends arrives so much later; the same for all ends made from now on. */
void fake_delay(struct net_stream *stream, uint64_t ms);
void fake_delay_new(uint64_t ms);
/* Bytes this side may have under way unread; 0: its socket takes nothing from now on. */
void fake_room(struct net_stream *stream, size_t bytes);
/* Ends this side with a reason (a TLS alert, an error of the network); its on_closed follows.
 * The other end sees an end. */
void fake_fail(struct net_stream *stream, enum net_error_kind kind, const char *text);

/* ---- dials and listeners --------------------------------------------------------------------- */

/* A dial goes to the listener on its port, or is refused. A hook decides instead: it returns the
 * dialler's end (of a fake_pair()), NULL with `ret_error` filled, or FAKE_DIAL_HANGS for no
 * answer until the dial's timeout. NULL: no hook. */
#define FAKE_DIAL_HANGS ((struct net_stream *)&fake_dial_hangs)
extern char fake_dial_hangs;
typedef struct net_stream *(*fake_dial_fn)(void *user, struct net_loop *loop,
                                           const struct net_dial_config *config,
                                           struct net_error *ret_error);
void fake_dial_hook(fake_dial_fn hook, void *user);
/* Dials take so long; at first they end in the next turn. */
void fake_dial_delay(uint64_t ms);
unsigned fake_dial_count(void); /* started since fake_init() */

/* The near end of a connection to the listener on `port`, held by the test. */
struct net_stream *fake_connect(uint16_t port);

/* ---- names ----------------------------------------------------------------------------------- */

/* What a name resolves to from now on: IPv4 addresses separated by spaces; NULL: it does not. Names
 * are unknown at first. */
void fake_resolve(const char *host, const char *addresses);
/* Look-ups take so long; at first they end in the next turn. */
void fake_resolve_delay(uint64_t ms);
unsigned fake_resolve_count(void); /* started since fake_init() */

#endif
