/* Keeps every cluster's endpoints equal to the addresses of its names: resolves at start,
 * regularly, and when a connection is lost. On worker 0's loop. A name that stops resolving keeps
 * its last addresses. */
#ifndef GRPCROUTE_PROXY_DISCOVERY_H
#define GRPCROUTE_PROXY_DISCOVERY_H

#include <stdbool.h>
#include <stdint.h>

struct relay;
struct proxy_discovery;

struct proxy_discovery *proxy_discovery_start(struct relay *relay, uint64_t refresh_ms);
/* Accepts NULL. */
void proxy_discovery_stop(struct proxy_discovery *discovery);
/* Every name was asked for at least once and answered or failed. */
bool proxy_discovery_done_once(const struct proxy_discovery *discovery);

#endif
