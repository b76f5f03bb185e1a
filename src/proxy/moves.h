/* Which streams are asked to leave their endpoints, and when: the surplus when endpoints came
 * (rebalance), all of an endpoint that was removed or is unhealthy. Only what the user asked for.
 *
 * Each is spread over a window; relay/leave.h ends the streams. While a cluster is evened out, new
 * streams go to its idlest endpoint, so that what moves goes where there is room. On worker 0's
 * loop. */
#ifndef GRPCROUTE_PROXY_MOVES_H
#define GRPCROUTE_PROXY_MOVES_H

#include <stdbool.h>
#include <stdint.h>

/* Endpoints that come together are one occasion. */
#define PROXY_MOVES_SETTLE_MS 1000

struct relay;
struct proxy_moves;

struct proxy_moves_config {
    bool rebalance;     /* after endpoints came */
    bool end_removed;   /* streams of endpoints that are no longer addresses of their cluster */
    bool end_unhealthy; /* streams of endpoints that fail their health checks */
    uint64_t window_ms; /* over which each of these is spread */
};

struct proxy_moves *proxy_moves_start(struct relay *relay, const struct proxy_moves_config *config);
/* Nobody is asked any more. Accepts NULL. */
void proxy_moves_stop(struct proxy_moves *moves);

#endif
