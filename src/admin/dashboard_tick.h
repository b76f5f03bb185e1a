/* One tick of the dashboard: all numbers of the page as JSON. */
#ifndef GRPCROUTE_ADMIN_DASHBOARD_TICK_H
#define GRPCROUTE_ADMIN_DASHBOARD_TICK_H

#include "relay/answer_time.h"

#include <stdint.h>

struct relay;

/* What was counted at one moment. */
struct dashboard_sample {
    uint64_t at_ms;
    uint64_t up;
    uint64_t down;
    uint64_t answers[ANSWER_TIME_BUCKETS];
};

void dashboard_sample_take(struct relay *relay, struct dashboard_sample *ret);

/* JSON on one line, freed with cJSON_free(), or NULL without memory. Rates are of the time since
 * `before`, answer times since `window`; null where that is no time. */
char *dashboard_tick_json(struct relay *relay, const struct dashboard_sample *now,
                          const struct dashboard_sample *before,
                          const struct dashboard_sample *window);

#endif
