/* Runs a plan against a real target and fills the observations.
 *
 * Happy path: open all connections -> on each, when ready, open its streams -> a ping per stream
 * and interval -> when as many answers as pings came, half-close -> the peer ends the stream -> the
 * last stream of a connection closes it
 * -> the last connection ends the loop.
 * Failure modes: no connection (its streams are NOT_CONNECTED), a stream ended by the peer, the
 * time limit, SIGINT or SIGTERM (everything is dropped and what was seen so far stays). A peer that
 * allows fewer streams than planned on a connection gets further connections. */
#ifndef GRPCROUTE_CHECK_PROBE_H
#define GRPCROUTE_CHECK_PROBE_H

#include "check/observe.h"
#include "role/connect.h"

/* After its half-close a stream has this long to end; late duplicates are seen in it. */
#define CHECK_LINGER_MS 2000

/* Connections on their way at once: more would only wait for each other's handshakes. */
#define CHECK_CONNECTING_MAX 64

struct probe;

/* Starts to probe on `loop`, with at least one stream; `run` and `target` are borrowed until
 * `on_done`, which comes once, from the loop, when everything is seen, run->timeout_ns has
 * passed, or it was stopped. The probe is gone then. */
struct probe *check_probe_start(struct net_loop *loop, struct check_run *run,
                                const struct role_target *target, void (*on_done)(void *user),
                                void *user);
/* Drops everything because of a signal; what was seen stays. Repeats are harmless until on_done. */
void check_probe_stop(struct probe *probe, int signal);

/* Probes until everything is seen, run->timeout_ns has passed, or a signal came. Returns 0, or a
 * negative libuv error when there is no event loop to be had. */
int check_probe(struct check_run *run, const struct role_target *target);

#endif
