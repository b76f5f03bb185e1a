/* One thread of a relay: its loop, listener and ticks. */
#ifndef GRPCROUTE_RELAY_WORKER_H
#define GRPCROUTE_RELAY_WORKER_H

struct net_error;
struct relay;
struct worker;

/* Prepares the loop and listens; nothing runs yet. Returns 0 or -1 with `ret_error`. */
int worker_init(struct worker *worker, struct relay *relay, unsigned index,
                struct net_error *ret_error);
/* Runs the loop on the calling thread until the drain is over. */
void worker_run(struct worker *worker);
void worker_deinit(struct worker *worker);

/* From any thread: look at the relay's drain requests. */
void worker_wake(struct worker *worker);

#endif
