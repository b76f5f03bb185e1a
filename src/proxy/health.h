/* Active health checks: grpc.health.v1 Check on the pooled connections of worker 0, the first one
 * at once; how often and what counts is said by the relay's configuration. */
#ifndef GRPCROUTE_PROXY_HEALTH_H
#define GRPCROUTE_PROXY_HEALTH_H

#include <stdbool.h>

/* An endpoint whose last check failed is asked this often, unless healthy ones are more often. */
#define PROXY_HEALTH_RETRY_MS 1000

struct relay;
struct proxy_health;

struct proxy_health *proxy_health_start(struct relay *relay);
/* Accepts NULL. */
void proxy_health_stop(struct proxy_health *health);
/* Every endpoint known now was checked at least once. */
bool proxy_health_done_once(const struct proxy_health *health);

#endif
