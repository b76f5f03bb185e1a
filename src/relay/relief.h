/* The bound on what waits in a worker's buffers (--max-buffered): over it, who holds the most loses
 * streams. */
#ifndef GRPCROUTE_RELAY_RELIEF_H
#define GRPCROUTE_RELAY_RELIEF_H

struct net_flush;

/* Ends the fullest streams of the fullest clients until the worker is well below its limit. A flush
 * of the worker's loop, worker->relief. */
void relief_on_flush(struct net_flush *item);

#endif
