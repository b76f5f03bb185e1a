/* Happy path: a browser gets the page -> it subscribes to /events -> a first tick at once, then one
 * each second. Failure modes: nobody reads: nothing is computed, answer times are not taken; too
 * many or too slow readers: net/http.h. */
#include "admin/dashboard.h"

#include "base/mem.h"
#include "net/http.h"
#include "net/loop.h"
#include "admin/dashboard_page.h" /* written by inline.py */
#include "admin/dashboard_tick.h"
#include "relay/state.h"

#include <cJSON.h>
#include <stdlib.h>
#include <string.h>

#define PERIOD_MS 1000
/* Answer times are of this many seconds, so that slow streams have samples enough. */
#define WINDOW_S 10

struct dashboard {
    struct relay *relay;   /* borrowed */
    struct net_http *http; /* borrowed */
    struct net_loop *loop; /* borrowed */
    struct net_tick tick;
    uint64_t due_ms;
    uint64_t ticks; /* since somebody watches; 0: nobody does */
    /* of the last ticks; number n is at n % (WINDOW_S + 1) */
    struct dashboard_sample samples[WINDOW_S + 1];
};

static struct dashboard_sample *sample(struct dashboard *dashboard, uint64_t number)
{
    return &dashboard->samples[number % (WINDOW_S + 1)];
}

static char *tick_json(struct dashboard *dashboard, const struct dashboard_sample *now)
{
    uint64_t last = dashboard->ticks - 1;
    uint64_t first = last < WINDOW_S ? 0 : last - WINDOW_S + 1;
    return dashboard_tick_json(dashboard->relay, now, sample(dashboard, last),
                               sample(dashboard, first));
}

static void publish(struct dashboard *dashboard)
{
    struct dashboard_sample *now = sample(dashboard, dashboard->ticks);
    dashboard_sample_take(dashboard->relay, now);
    char *text = tick_json(dashboard, now);
    dashboard->ticks++;
    if (text != NULL) {
        net_http_publish(dashboard->http, text, strlen(text));
    }
    cJSON_free(text);
}

static void on_tick(struct net_tick *item, uint64_t now_ms)
{
    struct dashboard *dashboard = container_of(item, struct dashboard, tick);
    if (net_http_subscribers(dashboard->http) == 0) {
        dashboard->ticks = 0;
        atomic_store(&dashboard->relay->watched, false);
    } else if (now_ms >= dashboard->due_ms && dashboard->ticks > 0) {
        dashboard->due_ms = now_ms + PERIOD_MS - NET_TICK_MS / 2; /* ticks come every NET_TICK_MS */
        publish(dashboard);
    }
}

void dashboard_publish_now(struct dashboard *dashboard)
{
    if (dashboard->ticks > 0) {
        publish(dashboard);
    }
}

void dashboard_subscribe(struct dashboard *dashboard, struct buf *out)
{
    if (dashboard->ticks == 0) { /* the first reader */
        dashboard_sample_take(dashboard->relay, sample(dashboard, 0));
        dashboard->ticks = 1;
        dashboard->due_ms = uv_now(&dashboard->loop->uv) + PERIOD_MS;
        atomic_store(&dashboard->relay->watched, true);
    }
    char *text = tick_json(dashboard, sample(dashboard, dashboard->ticks - 1));
    if (text != NULL) {
        net_http_event(out, text, strlen(text));
    }
    cJSON_free(text);
}

void dashboard_page(struct net_http_response *response)
{
    response->content_type = "text/html; charset=utf-8";
    response->policy = dashboard_policy;
    (void)buf_append(&response->body, dashboard_html, sizeof(dashboard_html) - 1, SIZE_MAX);
}

struct dashboard *dashboard_start(struct relay *relay, struct net_http *http, struct net_loop *loop)
{
    struct dashboard *dashboard = mem_new(struct dashboard);
    dashboard->relay = relay;
    dashboard->http = http;
    dashboard->loop = loop;
    net_tick_init(&dashboard->tick, on_tick);
    net_loop_tick_start(loop, &dashboard->tick);
    return dashboard;
}

void dashboard_stop(struct dashboard *dashboard)
{
    net_loop_tick_stop(&dashboard->tick);
    atomic_store(&dashboard->relay->watched, false);
    free(dashboard);
}
