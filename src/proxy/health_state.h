/* What the results of checks make of an endpoint's health, one after the other. Pure.
 *
 *               passed                 declined     fault
 *   unknown     healthy                unhealthy    unhealthy
 *   healthy     healthy                unhealthy    unhealthy with the n-th in a row
 *   unhealthy   healthy with the       unhealthy    unhealthy
 *               n-th in a row
 *
 * The first check decides at once, as nothing else is known. To decline (NOT_SERVING) is an answer
 * and counts at once; a fault (late, reset, an error) may be a moment's. */
#ifndef GRPCROUTE_PROXY_HEALTH_STATE_H
#define GRPCROUTE_PROXY_HEALTH_STATE_H

#include "relay/cluster.h"

enum proxy_health_result { PROXY_HEALTH_PASSED, PROXY_HEALTH_DECLINED, PROXY_HEALTH_FAULT };

struct proxy_health_thresholds {
    unsigned unhealthy; /* faults in a row */
    unsigned healthy;   /* passed checks in a row */
};

/* Of the checks until now; zeroed at first. */
struct proxy_health_streak {
    unsigned passed;           /* in a row */
    unsigned failed;           /* declined or fault, in a row */
    enum endpoint_health left; /* what the last one left the endpoint with */
};

/* The health after one more check. `now` is what it is: a worker may have lost the endpoint since
 * the last one, and what passed before that does not count for its return. */
enum endpoint_health proxy_health_next(const struct proxy_health_thresholds *thresholds,
                                       struct proxy_health_streak *streak, enum endpoint_health now,
                                       enum proxy_health_result result);

#endif
