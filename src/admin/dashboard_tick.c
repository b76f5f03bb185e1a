#include "admin/dashboard_tick.h"

#include "admin/history.h"
#include "admin/text.h"
#include "admin/topology.h"
#include "base/clock.h"
#include "base/mem.h"
#include "relay/state.h"

#include <cJSON.h>
#include <stdlib.h>
#include <string.h>

#define SUM(relay, field) relay_sum(relay, offsetof(struct worker_stats, field))

void dashboard_sample_take(struct relay *relay, struct dashboard_sample *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->at_ms = clock_now_ms();
    ret->up = SUM(relay, messages_up);
    ret->down = SUM(relay, messages_down);
    for (unsigned i = 0; i < relay->worker_count; i++) {
        answer_time_sum(&relay->workers[i].answer_time, ret->answers);
    }
}

/* ---- totals ---------------------------------------------------------------------------------- */

static void add_number(cJSON *object, const char *name, uint64_t value)
{
    cJSON_AddNumberToObject(object, name, (double)value);
}

/* Null when there is nothing to say. */
static void add_measure(cJSON *object, const char *name, double value)
{
    cJSON_AddItemToObject(object, name,
                          value >= 0 ? cJSON_CreateNumber(value) : cJSON_CreateNull());
}

static double rate(uint64_t now, uint64_t before, uint64_t ms)
{
    return ms > 0 ? (double)(now - before) * 1000 / (double)ms : -1;
}

/* When the rules in force were put in force: what the page knows of them is as old as this. */
static uint64_t updated_ms(struct relay *relay)
{
    pthread_mutex_lock(&relay->force.mutex);
    uint64_t since_ns = relay->force.since_ns;
    pthread_mutex_unlock(&relay->force.mutex);
    return since_ns / NS_PER_MS;
}

static void add_state(struct relay *relay, cJSON *root, uint64_t now_ms)
{
    cJSON_AddStringToObject(root, "id", relay->config.id);
    cJSON_AddStringToObject(root, "state",
                            relay_is_draining(relay)     ? "draining"
                            : atomic_load(&relay->ready) ? "live"
                                                         : "starting");
    add_number(root, "uptime_s", (now_ms - relay->started_ms) / 1000);
    add_number(root, "updated_ms", updated_ms(relay));
    add_number(root, "now_ms", clock_wall_ns() / NS_PER_MS);
}

static void add_totals(const struct dashboard_view *view, cJSON *root)
{
    struct relay *relay = view->relay;
    uint64_t ms = view->now->at_ms - view->before->at_ms;
    add_number(root, "streams", SUM(relay, downstream_rq_active));
    add_number(root, "streams_total", SUM(relay, downstream_rq_total));
    add_number(root, "connections", SUM(relay, downstream_cx_active));
    add_number(root, "unavailable", SUM(relay, rq_unavailable));
    add_number(root, "no_route", SUM(relay, rq_no_route));
    add_number(root, "checked", SUM(relay, answers_checked));
    add_number(root, "misrouted", SUM(relay, misrouted));
    add_measure(root, "up_per_s", rate(view->now->up, view->before->up, ms));
    add_measure(root, "down_per_s", rate(view->now->down, view->before->down, ms));
    add_measure(root, "p50_us",
                answer_time_quantile(view->window->answers, view->now->answers, 0.5));
    add_measure(root, "p99_us",
                answer_time_quantile(view->window->answers, view->now->answers, 0.99));
}

static void add_workers(struct relay *relay, cJSON *root)
{
    cJSON *array = cJSON_AddArrayToObject(root, "workers");
    for (unsigned i = 0; i < relay->worker_count; i++) {
        const struct worker_stats *stats = &relay->workers[i].stats;
        cJSON *object = cJSON_CreateObject();
        add_number(object, "connections", atomic_load(&stats->downstream_cx_active));
        add_number(object, "streams", atomic_load(&stats->downstream_rq_active));
        cJSON_AddItemToArray(array, object);
    }
}

/* ---- what is remembered ---------------------------------------------------------------------- */

static void add_event(cJSON *array, const struct event_entry *entry)
{
    cJSON *object = cJSON_CreateObject();
    add_number(object, "number", entry->number);
    add_number(object, "id", entry->id);
    add_number(object, "time_ms", entry->last_ns / NS_PER_MS);
    add_number(object, "first_ms", entry->first_ns / NS_PER_MS);
    add_number(object, "count", entry->count);
    cJSON_AddStringToObject(object, "level", log_level_names[entry->level]);
    cJSON_AddStringToObject(object, "event", entry->name);
    cJSON_AddStringToObject(object, "text", entry->text);
    cJSON_AddItemToArray(array, object);
}

static void add_events(struct relay *relay, uint64_t after, cJSON *array)
{
    struct event_entry *entries = mem_calloc(EVENTS_MAX, sizeof(*entries));
    size_t count = events_copy(&relay->events, after, entries);
    for (size_t i = 0; i < count; i++) {
        add_event(array, &entries[i]);
    }
    free(entries);
}

static void add_memory(struct relay *relay, const struct history *history, uint64_t samples,
                       uint64_t events, cJSON *root)
{
    cJSON *object = cJSON_AddObjectToObject(root, "history");
    add_number(object, "period_ms", HISTORY_PERIOD_MS);
    add_number(object, "kept", HISTORY_SAMPLES);
    history_json(history, samples, object);
    add_events(relay, events, cJSON_AddArrayToObject(root, "events"));
}

char *dashboard_tick_json(const struct dashboard_view *view)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddBoolToObject(root, "whole", view->whole);
    add_state(view->relay, root, view->now->at_ms);
    add_totals(view, root);
    add_workers(view->relay, root);
    topology_json(view->relay, root);
    add_memory(view->relay, view->history, view->whole ? 0 : view->told_samples,
               view->whole ? 0 : view->told_events, root);
    char *text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    return text;
}

void dashboard_history_json(struct relay *relay, const struct history *history, struct buf *out)
{
    cJSON *root = cJSON_CreateObject();
    add_memory(relay, history, 0, 0, root);
    char *text = cJSON_PrintUnformatted(root);
    if (text != NULL) {
        admin_printf(out, "%s\n", text);
    }
    cJSON_free(text);
    cJSON_Delete(root);
}
