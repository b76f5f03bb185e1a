/* Active health checks: grpc.health.v1 Check on the pooled connections of worker 0, the first one
 * at once. */
#ifndef GRPCROUTE_PROXY_HEALTH_H
#define GRPCROUTE_PROXY_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

/* An unhealthy endpoint is asked this often, whatever the interval for healthy ones. */
#define PROXY_HEALTH_RETRY_MS 1000
/* An answer may take this long. */
#define PROXY_HEALTH_TIMEOUT_MS 2000

struct relay;
struct proxy_health;

struct proxy_health *proxy_health_start(struct relay *relay, uint64_t interval_ms);
/* Accepts NULL. */
void proxy_health_stop(struct proxy_health *health);
/* Every endpoint known now was checked at least once. */
bool proxy_health_done_once(const struct proxy_health *health);

#endif
