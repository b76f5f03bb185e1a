/* One tick of the dashboard: all numbers of the page as JSON. */
#ifndef GRPCROUTE_PROXY_DASHBOARD_TICK_H
#define GRPCROUTE_PROXY_DASHBOARD_TICK_H

#include "proxy/answer_time.h"

#include <stdbool.h>
#include <stdint.h>

struct proxy;

/* What was counted at one moment. */
struct dashboard_sample {
    uint64_t at_ms;
    uint64_t up;
    uint64_t down;
    uint64_t answers[ANSWER_TIME_BUCKETS];
};

void dashboard_sample_take(struct proxy *proxy, struct dashboard_sample *ret);

/* JSON on one line, freed with cJSON_free(), or NULL without memory. Rates are of the time since
 * `before`, answer times since `window`; null where that is no time. */
char *dashboard_tick_json(struct proxy *proxy, const struct dashboard_sample *now,
                          const struct dashboard_sample *before,
                          const struct dashboard_sample *window);

#endif
