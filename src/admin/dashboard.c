/* Happy path: the proxy's past is sampled from its start on -> a browser gets the page -> it
 * subscribes to /events -> a first tick at once, with all that is remembered, then one each second
 * with what is new. Failure modes: nobody reads: no ticks are made, the past is kept all the same;
 * too many or too slow readers: net/http.h. */
#include "admin/dashboard.h"

#include "admin/dashboard_page.h" /* written by inline.py */
#include "admin/dashboard_tick.h"
#include "admin/history.h"
#include "admin/incidents.h"
#include "base/mem.h"
#include "net/http.h"
#include "net/loop.h"
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
    struct net_tick tick;
    uint64_t now_ms;         /* of the last turn */
    uint64_t due_ms;         /* of a tick */
    uint64_t history_due_ms; /* of a sample of the past */
    uint64_t ticks;          /* since somebody watches; 0: nobody does */
    /* of the last ticks; number n is at n % (WINDOW_S + 1) */
    struct dashboard_sample samples[WINDOW_S + 1];
    uint64_t told_samples; /* numbers that all readers have */
    uint64_t told_events;
    struct incidents incidents;
    struct history history;
};

static struct dashboard_sample *sample(struct dashboard *dashboard, uint64_t number)
{
    return &dashboard->samples[number % (WINDOW_S + 1)];
}

/* Of the time since the last tick; `whole`: with all that is remembered. */
static char *tick_json(struct dashboard *dashboard, const struct dashboard_sample *now, bool whole)
{
    uint64_t last = dashboard->ticks - 1;
    uint64_t first = last < WINDOW_S ? 0 : last - WINDOW_S + 1;
    return dashboard_tick_json(&(struct dashboard_view){
        .relay = dashboard->relay,
        .now = now,
        .before = sample(dashboard, last),
        .window = sample(dashboard, first),
        .history = &dashboard->history,
        .whole = whole,
        .told_samples = dashboard->told_samples,
        .told_events = dashboard->told_events,
    });
}

static void publish(struct dashboard *dashboard)
{
    struct dashboard_sample *now = sample(dashboard, dashboard->ticks);
    uint64_t events = events_last(&dashboard->relay->events); /* what comes now is told twice */
    dashboard_sample_take(dashboard->relay, now);
    char *text = tick_json(dashboard, now, false);
    dashboard->ticks++;
    dashboard->told_samples = dashboard->history.last_number;
    dashboard->told_events = events;
    if (text != NULL) {
        net_http_publish(dashboard->http, text, strlen(text));
    }
    cJSON_free(text);
}

/* Each second: what has happened, whether or not anybody reads. */
static void look(struct dashboard *dashboard)
{
    incidents_look(&dashboard->incidents, dashboard->relay);
    relay_forget_left(dashboard->relay);
    if (net_http_subscribers(dashboard->http) == 0) {
        dashboard->ticks = 0;
    } else if (dashboard->ticks > 0) {
        publish(dashboard);
    }
}

static void want_answers(struct relay *relay)
{
    for (unsigned i = 0; i < relay->worker_count; i++) {
        atomic_store_explicit(&relay->workers[i].answers_wanted, RELAY_ANSWERS_WANTED,
                              memory_order_relaxed);
    }
}

/* Ticks of the loop come every NET_TICK_MS. */
static void on_tick(struct net_tick *item, uint64_t now_ms)
{
    struct dashboard *dashboard = container_of(item, struct dashboard, tick);
    dashboard->now_ms = now_ms;
    want_answers(dashboard->relay);
    if (now_ms >= dashboard->history_due_ms) {
        dashboard->history_due_ms = now_ms + HISTORY_PERIOD_MS - NET_TICK_MS / 2;
        history_take(&dashboard->history, dashboard->relay);
    }
    if (now_ms >= dashboard->due_ms) {
        dashboard->due_ms = now_ms + PERIOD_MS - NET_TICK_MS / 2;
        look(dashboard);
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
        dashboard->due_ms = dashboard->now_ms + PERIOD_MS; /* rates of less would be of chance */
        dashboard->told_samples = dashboard->history.last_number;
        dashboard->told_events = events_last(&dashboard->relay->events);
    }
    char *text = tick_json(dashboard, sample(dashboard, dashboard->ticks - 1), true);
    if (text != NULL) {
        net_http_event(out, text, strlen(text));
    }
    cJSON_free(text);
}

void dashboard_history(struct dashboard *dashboard, struct buf *out)
{
    dashboard_history_json(dashboard->relay, &dashboard->history, out);
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
    dashboard->history_due_ms = uv_now(&loop->uv) + HISTORY_PERIOD_MS;
    history_init(&dashboard->history, relay);
    net_tick_init(&dashboard->tick, on_tick);
    net_loop_tick_start(loop, &dashboard->tick);
    return dashboard;
}

void dashboard_stop(struct dashboard *dashboard)
{
    net_loop_tick_stop(&dashboard->tick);
    free(dashboard);
}
