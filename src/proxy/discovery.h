/* Keeps the endpoints of clusters equal to the addresses of their names: resolves at once,
 * regularly, and when a connection is lost. On worker 0's loop. A name that stops resolving keeps
 * its last addresses. */
#ifndef GRPCROUTE_PROXY_DISCOVERY_H
#define GRPCROUTE_PROXY_DISCOVERY_H

#include <stdbool.h>
#include <stdint.h>

struct cluster;
struct relay;
struct proxy_discovery;

/* Follows every cluster of the relay (relay_each_cluster()). */
struct proxy_discovery *proxy_discovery_start(struct relay *relay, uint64_t refresh_ms);
/* Accepts NULL. */
void proxy_discovery_stop(struct proxy_discovery *discovery);

/* The relay's clusters, or their targets, are others than before: new ones are followed from now
 * on, those that the relay does not have any more are left. */
void proxy_discovery_update(struct proxy_discovery *discovery);

/* Every name was asked for at least once and answered or failed. */
bool proxy_discovery_done_once(const struct proxy_discovery *discovery);

#endif
