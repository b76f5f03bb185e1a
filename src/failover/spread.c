/* Lanes of a backend's streams become events, one where a pod begins to hold a stream and one where
 * it no longer does, at the grid of FAILOVER_BIN_NS; a sweep over them keeps the counts. */
#include "failover/spread.h"

#include "base/mem.h"
#include "failover/result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct event {
    uint64_t bin;
    uint32_t pod; /* of the backend */
    int32_t difference;
};

struct events {
    struct event *all;
    size_t count;
    size_t capacity;
};

/* ---- one moment ------------------------------------------------------------------------------ */

/* How far `count` is from even, in percent of it. */
static double percent_off(double count, double even)
{
    double off = fabs(count - even);
    return off < 1 ? 0 : 100 * off / even;
}

/* A pod that is not there should hold none. */
static double spread_of(const struct failover_spread *spread, const uint32_t *counts)
{
    double most = 0;
    if (spread->pods_after == 0) {
        return 100;
    }
    double even = (double)spread->streams / (double)spread->pods_after;
    for (size_t i = 0; i < spread->pod_count; i++) {
        double percent =
            spread->pods[i].there ? percent_off(counts[i], even) : 100 * (double)counts[i] / even;
        most = fmax(most, percent);
    }
    return most;
}

static double spread_before(const struct failover_spread *spread)
{
    double most = 0;
    double even = (double)spread->streams / (double)spread->pods_before;
    for (size_t i = 0; i < spread->pod_count; i++) {
        if (spread->pods[i].before > 0) {
            most = fmax(most, percent_off(spread->pods[i].before, even));
        }
    }
    return most;
}

/* ---- members --------------------------------------------------------------------------------- */

static bool is_member(const struct failover_result *result, const struct failover_spread *spread,
                      const struct failover_stream *stream)
{
    const struct failover_pod *pod = failover_lanes_before(&result->history, &stream->lanes);
    return pod != NULL && strcmp(pod->version, spread->backend) == 0;
}

/* Its place among the backend's pods; their count where it is of another. */
static size_t place_of(const struct failover_spread *spread, size_t pod)
{
    size_t i = 0;
    while (i < spread->pod_count && spread->pods[i].pod != pod) {
        i++;
    }
    return i;
}

/* Of a pod that is there and does not answer. */
static void count_silent(const struct failover_result *result, struct failover_spread *spread,
                         const struct failover_silence *silence)
{
    for (size_t i = 0; i < spread->pod_count; i++) {
        const struct failover_pod *pod = &result->history.pods[spread->pods[i].pod];
        spread->pods[i].silent +=
            strcmp(pod->name, silence->pod) == 0 && strcmp(pod->version, silence->version) == 0;
    }
}

static void count_stream(const struct failover_result *result, struct failover_spread *spread,
                         const struct failover_stream *stream)
{
    const struct failover_history *history = &result->history;
    const struct failover_pod *before = failover_lanes_before(history, &stream->lanes);
    const struct failover_pod *after = failover_lanes_after(history, &stream->lanes);
    spread->streams++;
    spread->pods[place_of(spread, (size_t)(before - history->pods))].before++;
    if (after != NULL && strcmp(after->version, spread->backend) == 0) {
        spread->pods[place_of(spread, (size_t)(after - history->pods))].after++;
    }
    if (stream->silence.end == FAILOVER_HOLE_OPEN && failover_is_hole(result, stream)) {
        count_silent(result, spread, &stream->silence);
    }
    if (stream->podless > 0) {
        spread->unknown = "answers do not name the pod that gave them";
    }
}

static void count_members(const struct failover_result *result, struct failover_spread *spread)
{
    const struct failover_history *history = &result->history;
    spread->pods = mem_calloc(history->pod_count, sizeof(*spread->pods));
    for (size_t i = 0; i < history->pod_count; i++) {
        if (strcmp(history->pods[i].version, spread->backend) == 0) {
            spread->pods[spread->pod_count++].pod = (uint32_t)i;
        }
    }
    for (size_t i = 0; i < result->stream_count; i++) {
        if (is_member(result, spread, &result->streams[i])) {
            count_stream(result, spread, &result->streams[i]);
        }
    }
    for (size_t i = 0; i < spread->pod_count; i++) {
        struct failover_spread_pod *pod = &spread->pods[i];
        pod->there = pod->after + pod->silent > 0 || history->pods[pod->pod].called > 0;
        spread->pods_before += pod->before > 0;
        spread->pods_after += pod->there;
    }
}

/* ---- over time ------------------------------------------------------------------------------- */

static void add_event(struct events *events, uint64_t bin, size_t pod, int32_t difference)
{
    if (events->count == events->capacity) {
        events->capacity = events->capacity == 0 ? 64 : 2 * events->capacity;
        events->all = mem_realloc(events->all, events->capacity * sizeof(*events->all));
    }
    events->all[events->count++] =
        (struct event){.bin = bin, .pod = (uint32_t)pod, .difference = difference};
}

/* The first moment of the grid that is not before this one. */
static uint64_t bin_from(const struct failover_history *history, uint64_t at_ns)
{
    return at_ns <= history->fault_ns
               ? 0
               : (at_ns - history->fault_ns + FAILOVER_BIN_NS - 1) / FAILOVER_BIN_NS;
}

static void add_lanes(const struct failover_history *history, const struct failover_spread *spread,
                      const struct failover_lanes *lanes, struct events *events)
{
    for (size_t i = 0; i < lanes->count; i++) {
        const struct failover_lane *lane = &lanes->all[i];
        const struct failover_lane *next = i + 1 < lanes->count ? lane + 1 : NULL;
        size_t place = place_of(spread, lane->pod);
        /* a pause of a call that goes on does not move it */
        uint64_t to_ns = next != NULL && !next->first ? next->from_ns - 1 : lane->to_ns;
        uint64_t from_bin = bin_from(history, lane->from_ns);
        uint64_t to_bin = bin_from(history, to_ns + 1);
        if (to_bin == 0 && (next == NULL || next->from_ns > history->fault_ns)) {
            to_bin = 1; /* who ends with the fault is there when it begins */
        }
        if (place < spread->pod_count && to_bin > from_bin) {
            add_event(events, from_bin, place, 1);
            add_event(events, to_bin, place, -1);
        }
    }
}

static int compare_events(const void *a, const void *b)
{
    const struct event *one = a;
    const struct event *other = b;
    return one->bin < other->bin ? -1 : one->bin > other->bin;
}

static struct events events_of(const struct failover_result *result,
                               const struct failover_spread *spread)
{
    struct events events = {0};
    for (size_t i = 0; i < result->stream_count; i++) {
        if (is_member(result, spread, &result->streams[i])) {
            add_lanes(&result->history, spread, &result->streams[i].lanes, &events);
        }
    }
    if (events.count > 0) {
        qsort(events.all, events.count, sizeof(*events.all), compare_events);
    }
    return events;
}

/* Points of one cell of the grid of FAILOVER_POINTS_MAX become the last of them. */
static void add_point(struct failover_spread *spread, uint64_t bin, uint64_t bins, double percent,
                      const uint32_t *counts)
{
    uint64_t cell = bins / FAILOVER_POINTS_MAX + 1;
    uint64_t at_ns = bin * FAILOVER_BIN_NS;
    size_t point = spread->point_count;
    if (point > 0 && spread->points[point - 1].at_ns / FAILOVER_BIN_NS / cell == bin / cell) {
        point--;
    }
    uint32_t held = 0;
    for (size_t i = 0; i < spread->pod_count; i++) {
        held += counts[i];
    }
    spread->points[point] = (struct failover_spread_point){
        .at_ns = at_ns, .percent = percent, .absent = (uint32_t)spread->streams - held};
    memcpy(&spread->counts[point * spread->pod_count], counts, spread->pod_count * sizeof(*counts));
    spread->point_count = point + 1;
}

static void sweep(const struct failover_result *result, struct failover_spread *spread)
{
    const struct failover_history *history = &result->history;
    uint64_t bins = (history->ended_ns - history->fault_ns) / FAILOVER_BIN_NS + 1;
    struct events events = events_of(result, spread);
    uint32_t *counts = mem_calloc(spread->pod_count, sizeof(*counts));
    bool even = true;
    spread->points = mem_calloc(FAILOVER_POINTS_MAX + 1, sizeof(*spread->points));
    spread->counts =
        mem_calloc((FAILOVER_POINTS_MAX + 1) * spread->pod_count, sizeof(*spread->counts));
    for (size_t i = 0; i < events.count && events.all[i].bin < bins;) {
        uint64_t bin = events.all[i].bin;
        for (; i < events.count && events.all[i].bin == bin; i++) {
            counts[events.all[i].pod] += (uint32_t)events.all[i].difference;
        }
        double percent = spread_of(spread, counts);
        bool is_even = percent <= result->even_percent;
        if (is_even && !even) {
            spread->even_after_ns = bin * FAILOVER_BIN_NS;
        }
        even = is_even;
        add_point(spread, bin, bins, percent, counts);
    }
    if (spread->after_percent > result->even_percent) {
        spread->even_after_ns = FAILOVER_NEVER;
    } else if (!even) { /* it became even behind the last moment of the grid */
        spread->even_after_ns = history->ended_ns - history->fault_ns;
    }
    free(counts);
    free(events.all);
}

/* ---- all backends ---------------------------------------------------------------------------- */

static void find_one(const struct failover_result *result, struct failover_spread *spread)
{
    uint32_t *after = mem_calloc(FAILOVER_PODS_MAX, sizeof(*after));
    count_members(result, spread);
    for (size_t i = 0; i < spread->pod_count; i++) {
        after[i] = spread->pods[i].after;
    }
    spread->before_percent = spread_before(spread);
    spread->after_percent = spread_of(spread, after);
    if (failover_history_is_full(&result->history)) {
        spread->unknown = "there are more pods than are told apart";
    } else if (spread->streams < spread->pods_after) {
        spread->unknown = "there are fewer streams than pods";
    }
    sweep(result, spread);
    free(after);
}

static bool is_known(const struct failover_spreads *spreads, const char *backend)
{
    for (size_t i = 0; i < spreads->count; i++) {
        if (strcmp(spreads->all[i].backend, backend) == 0) {
            return true;
        }
    }
    return false;
}

void failover_spreads_find(const struct failover_result *result, struct failover_spreads *ret)
{
    *ret = (struct failover_spreads){0};
    if (result->history.fault_ns == 0) {
        return;
    }
    for (size_t i = 0; i < result->stream_count; i++) {
        const struct failover_pod *pod =
            failover_lanes_before(&result->history, &result->streams[i].lanes);
        if (pod != NULL && !is_known(ret, pod->version)) {
            ret->all = mem_realloc(ret->all, (ret->count + 1) * sizeof(*ret->all));
            ret->all[ret->count] = (struct failover_spread){.backend = pod->version};
            find_one(result, &ret->all[ret->count++]);
        }
    }
}

void failover_spreads_deinit(struct failover_spreads *spreads)
{
    for (size_t i = 0; i < spreads->count; i++) {
        free(spreads->all[i].pods);
        free(spreads->all[i].points);
        free(spreads->all[i].counts);
    }
    free(spreads->all);
}
