#include "admin/history.h"

#include "admin/flows.h"
#include "base/clock.h"
#include "relay/state.h"

#include <assert.h>
#include <cJSON.h>
#include <stdio.h>
#include <string.h>

/* docs/dashboard.md names this size. */
static_assert(sizeof(struct history) <= 52 * 1024, "the history is larger than documented");

#define SUM(relay, field) relay_sum(relay, offsetof(struct worker_stats, field))

/* ---- a sample -------------------------------------------------------------------------------- */

static void count(struct relay *relay, struct history_counts *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->at_ms = clock_now_ms();
    ret->messages_up = SUM(relay, messages_up);
    ret->messages_down = SUM(relay, messages_down);
    ret->streams_begun = SUM(relay, downstream_rq_total);
    ret->connections_begun = SUM(relay, downstream_cx_total);
    ret->checked = SUM(relay, answers_checked);
    ret->misrouted = SUM(relay, misrouted);
    ret->refused = SUM(relay, rq_no_route) + SUM(relay, rq_rejected) + SUM(relay, rq_unavailable) +
                   SUM(relay, rq_shed);
    for (unsigned i = 0; i < relay->worker_count; i++) {
        answer_time_sum(&relay->workers[i].answer_time, ret->answers);
    }
}

static uint32_t small(uint64_t number)
{
    return number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
}

static void fill(struct history_sample *sample, struct relay *relay,
                 const struct history_counts *before, const struct history_counts *now)
{
    sample->time_ms = clock_wall_ns() / NS_PER_MS;
    sample->interval_ms = small(now->at_ms - before->at_ms);
    sample->streams = small(SUM(relay, downstream_rq_active));
    sample->connections = small(SUM(relay, downstream_cx_active));
    sample->messages_up = small(now->messages_up - before->messages_up);
    sample->messages_down = small(now->messages_down - before->messages_down);
    sample->streams_begun = small(now->streams_begun - before->streams_begun);
    sample->connections_begun = small(now->connections_begun - before->connections_begun);
    sample->checked = small(now->checked - before->checked);
    sample->misrouted = small(now->misrouted - before->misrouted);
    sample->refused = small(now->refused - before->refused);
    sample->p50_us = (float)answer_time_quantile(before->answers, now->answers, 0.5);
    sample->p99_us = (float)answer_time_quantile(before->answers, now->answers, 0.99);
}

/* ---- who was where --------------------------------------------------------------------------- */

static bool is_free(const struct history_series *series, uint64_t number)
{
    return series->last_number == 0 || number - series->last_number >= HISTORY_SAMPLES;
}

/* The series of a flow: its own, a free one that becomes it, or the last one. */
static struct history_series *series_for(struct history *history, const struct flow_row *flow)
{
    struct history_series *last = &history->series[HISTORY_SERIES];
    struct history_series *place = last;
    for (struct history_series *series = history->series; series < last; series++) {
        bool used = !is_free(series, history->last_number);
        if (used && strcmp(series->version, flow->version) == 0 &&
            strcmp(series->cluster, flow->cluster) == 0) {
            return series;
        }
        if (!used && place == last) {
            place = series;
        }
    }
    if (place != last) {
        memset(place, 0, sizeof(*place));
        memcpy(place->version, flow->version, sizeof(place->version));
        memcpy(place->cluster, flow->cluster, sizeof(place->cluster));
    }
    return place;
}

static void add_flow(void *ctx, const struct flow_row *flow)
{
    struct history *history = ctx;
    struct history_series *series = series_for(history, flow);
    uint32_t *streams = &series->streams[history->last_number % HISTORY_SAMPLES];
    *streams = small(*streams + flow->streams);
    series->last_number = history->last_number;
}

static void add_flows(struct history *history, struct relay *relay)
{
    for (size_t i = 0; i <= HISTORY_SERIES; i++) {
        history->series[i].streams[history->last_number % HISTORY_SAMPLES] = 0;
    }
    admin_each_flow(relay, add_flow, history);
}

void history_init(struct history *history, struct relay *relay)
{
    count(relay, &history->counts);
    snprintf(history->series[HISTORY_SERIES].version, FLOW_LABEL_BYTES, FLOW_MORE);
}

void history_take(struct history *history, struct relay *relay)
{
    struct history_counts now;
    count(relay, &now);
    history->last_number++;
    fill(&history->samples[history->last_number % HISTORY_SAMPLES], relay, &history->counts, &now);
    history->counts = now;
    add_flows(history, relay);
}

/* ---- as JSON --------------------------------------------------------------------------------- */

static uint64_t first_above(const struct history *history, uint64_t after)
{
    uint64_t first = after + 1;
    uint64_t kept =
        history->last_number > HISTORY_SAMPLES ? history->last_number - HISTORY_SAMPLES + 1 : 1;
    return first > kept ? first : kept;
}

static void add_number(cJSON *column, double number)
{
    cJSON_AddItemToArray(column, cJSON_CreateNumber(number));
}

/* Whole microseconds; null where nothing was timed. */
static void add_time(cJSON *column, float us)
{
    cJSON_AddItemToArray(column,
                         us >= 0 ? cJSON_CreateNumber((double)(uint64_t)us) : cJSON_CreateNull());
}

static void series_json(const struct history *history, const struct history_series *series,
                        uint64_t first, cJSON *flows)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "version", series->version);
    cJSON_AddStringToObject(object, "cluster", series->cluster);
    cJSON *column = cJSON_AddArrayToObject(object, "streams");
    for (uint64_t number = first; number <= history->last_number; number++) {
        add_number(column, series->streams[number % HISTORY_SAMPLES]);
    }
    cJSON_AddItemToArray(flows, object);
}

void history_json(const struct history *history, uint64_t after, cJSON *object)
{
    uint64_t first = first_above(history, after);
    cJSON *numbers = cJSON_AddArrayToObject(object, "number");
    cJSON *times = cJSON_AddArrayToObject(object, "time_ms");
#define COLUMN(name) cJSON *name##_column = cJSON_AddArrayToObject(object, #name);
    HISTORY_NUMBERS(COLUMN)
#undef COLUMN
    cJSON *p50 = cJSON_AddArrayToObject(object, "p50_us");
    cJSON *p99 = cJSON_AddArrayToObject(object, "p99_us");
    for (uint64_t number = first; number <= history->last_number; number++) {
        const struct history_sample *sample = &history->samples[number % HISTORY_SAMPLES];
        add_number(numbers, (double)number);
        add_number(times, (double)sample->time_ms);
#define ITEM(name) add_number(name##_column, sample->name);
        HISTORY_NUMBERS(ITEM)
#undef ITEM
        add_time(p50, sample->p50_us);
        add_time(p99, sample->p99_us);
    }
    cJSON *flows = cJSON_AddArrayToObject(object, "flows");
    for (size_t i = 0; i <= HISTORY_SERIES; i++) {
        if (!is_free(&history->series[i], history->last_number)) {
            series_json(history, &history->series[i], first, flows);
        }
    }
}
