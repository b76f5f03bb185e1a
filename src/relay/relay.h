/* What a proxy does with streams, as a whole: workers that listen, relay and drain. */
#ifndef GRPCROUTE_RELAY_RELAY_H
#define GRPCROUTE_RELAY_RELAY_H

#include "relay/state.h"

struct net_error;

/* Makes the workers and listens. Returns 0, or -1 with `ret_error`; relay_deinit() either way.
 * `config` is copied, what it points to borrowed. The references to `routing` and to `tls` (NULL:
 * plaintext) are taken over. */
int relay_init(struct relay *relay, const struct relay_config *config, struct routing *routing,
               struct net_tls *tls, struct net_error *ret_error);

/* Runs until a drain is over: worker 0 on the calling thread, the others on their own. `on_started`
 * is called when all run. Returns 0, or a positive errno when a thread could not be started; what
 * ran has ended then. */
int relay_run(struct relay *relay, void (*on_started)(void *user), void *user);

void relay_deinit(struct relay *relay);

/* The clusters of `routing` (reference taken over, NULL for none) are to be made ready: they are
 * visited by relay_each_cluster() from now on. */
void relay_expect(struct relay *relay, struct routing *routing);

/* Puts `routing` and `tls` in force: new streams and new connections use them from now on, live
 * ones keep what they have. The references are taken over. Clusters that are no longer led to are
 * retired. Nothing is expected any more. From any thread. */
void relay_replace(struct relay *relay, struct routing *routing, struct net_tls *tls);

/* All workers look at once at what is asked of them: the drain, the certificate, streams that are
 * to leave. From any thread. */
void relay_wake(struct relay *relay);

/* Asks all workers to drain; again: to end now. From worker 0's thread. Returns true the first
 * time. */
bool relay_drain(struct relay *relay);

#endif
