/* One tick of the dashboard: all numbers of the page as JSON, of bounded size however much there
 * is to show. */
#ifndef GRPCROUTE_ADMIN_DASHBOARD_TICK_H
#define GRPCROUTE_ADMIN_DASHBOARD_TICK_H

#include "relay/answer_time.h"

#include <stdbool.h>
#include <stdint.h>

/* What a tick names; the rest is in its sums. With these a tick that follows the first one stays
 * below half of NET_HTTP_EVENTS_BYTES and the first one, with all of the history, below the whole,
 * however long and awkward the names; with four flows on four endpoints it is 2 kB, and the first
 * one 25 kB. */
#define DASHBOARD_CLUSTERS_MAX  48
#define DASHBOARD_ENDPOINTS_MAX 96
#define DASHBOARD_FLOWS_MAX     64

struct buf;
struct history;
struct relay;

/* What was counted at one moment. */
struct dashboard_sample {
    uint64_t at_ms;
    uint64_t up;
    uint64_t down;
    uint64_t answers[ANSWER_TIME_BUCKETS];
};

void dashboard_sample_take(struct relay *relay, struct dashboard_sample *ret);

/* What a tick is made of. Rates are of the time between `before` and `now`, answer times of that
 * since `window`; null where that is no time. */
struct dashboard_view {
    struct relay *relay;
    const struct dashboard_sample *now;
    const struct dashboard_sample *before;
    const struct dashboard_sample *window;
    const struct history *history;
    bool whole;            /* for a reader that has nothing yet */
    uint64_t told_samples; /* numbers that readers have, of samples and of events */
    uint64_t told_events;
};

/* JSON on one line, freed with cJSON_free(), or NULL without memory. */
char *dashboard_tick_json(const struct dashboard_view *view);

/* What is remembered, for /history: samples and events as JSON. */
void dashboard_history_json(struct relay *relay, const struct history *history, struct buf *out);

#endif
