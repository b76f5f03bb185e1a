#include "failover/history.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for twice as many, and zeros behind the `count` that are there. */
static void *grown(void *old, size_t count, size_t *capacity, size_t max, size_t item_bytes)
{
    size_t doubled = *capacity == 0 ? 2 : 2 * *capacity;
    *capacity = doubled < max ? doubled : max;
    void *all = mem_calloc(*capacity, item_bytes);
    if (count > 0) {
        memcpy(all, old, count * item_bytes);
    }
    free(old);
    return all;
}

void failover_history_deinit(struct failover_history *history)
{
    free(history->pods);
    free(history->bins);
    *history = (struct failover_history){0};
}

void failover_lanes_deinit(struct failover_lanes *lanes)
{
    free(lanes->all);
    *lanes = (struct failover_lanes){0};
}

static bool is_pod(const struct failover_pod *one, const struct failover_pod *other)
{
    return strcmp(one->name, other->name) == 0 && strcmp(one->version, other->version) == 0;
}

static uint32_t pod_number(struct failover_history *history, const struct failover_pod *pod)
{
    static const struct failover_pod others = {.name = "(other pods)"};
    size_t i = 0;
    if (history->pods == NULL) {
        history->pods = mem_calloc(FAILOVER_PODS_MAX, sizeof(*history->pods));
    }
    while (i < history->pod_count && !is_pod(&history->pods[i], pod)) {
        i++;
    }
    if (i == FAILOVER_PODS_MAX) {
        return FAILOVER_PODS_MAX - 1;
    }
    if (i == history->pod_count) {
        history->pods[i] = i == FAILOVER_PODS_MAX - 1 ? others : *pod;
        history->pods[i].called = 0;
        history->pod_count++;
    }
    return (uint32_t)i;
}

void failover_history_called(struct failover_history *history, const struct failover_pod *pod)
{
    history->pods[pod_number(history, pod)].called++;
}

bool failover_history_is_full(const struct failover_history *history)
{
    return history->pod_count == FAILOVER_PODS_MAX;
}

const struct failover_pod *failover_lanes_before(const struct failover_history *history,
                                                 const struct failover_lanes *lanes)
{
    const struct failover_pod *before = NULL;
    for (size_t i = 0; i < lanes->count; i++) {
        if (before == NULL || lanes->all[i].from_ns <= history->fault_ns) {
            before = &history->pods[lanes->all[i].pod];
        }
    }
    return before;
}

const struct failover_pod *failover_lanes_after(const struct failover_history *history,
                                                const struct failover_lanes *lanes)
{
    const struct failover_lane *last = lanes->count > 0 ? &lanes->all[lanes->count - 1] : NULL;
    return last != NULL && last->to_ns >= history->ended_ns ? &history->pods[last->pod] : NULL;
}

/* From the fault on; before it there is none. */
static struct failover_bin *bin_at(struct failover_history *history, uint64_t now_ns)
{
    if (history->fault_ns == 0) {
        return NULL;
    }
    uint64_t number = (now_ns - history->fault_ns) / FAILOVER_BIN_NS;
    size_t bin = number < FAILOVER_BINS_MAX ? (size_t)number : FAILOVER_BINS_MAX - 1;
    while (bin >= history->bin_capacity) {
        history->bins = grown(history->bins, history->bin_count, &history->bin_capacity,
                              FAILOVER_BINS_MAX, sizeof(*history->bins));
    }
    history->bin_count = bin >= history->bin_count ? bin + 1 : history->bin_count;
    return &history->bins[bin];
}

void failover_history_call_ended(struct failover_history *history, uint64_t now_ns)
{
    struct failover_bin *bin = bin_at(history, now_ns);
    if (bin != NULL) {
        bin->ended++;
    }
}

static struct failover_lane *add_lane(struct failover_lanes *lanes)
{
    if (lanes->count == FAILOVER_LANES_MAX) {
        lanes->cut = true;
        return &lanes->all[lanes->count - 1];
    }
    if (lanes->count == lanes->capacity) {
        lanes->all = grown(lanes->all, lanes->count, &lanes->capacity, FAILOVER_LANES_MAX,
                           sizeof(*lanes->all));
    }
    return &lanes->all[lanes->count++];
}

void failover_lanes_answer(struct failover_history *history, struct failover_lanes *lanes,
                           uint64_t now_ns, const struct failover_pod *pod, bool first, bool wrong)
{
    struct failover_lane *last = lanes->count > 0 ? &lanes->all[lanes->count - 1] : NULL;
    bool same = last != NULL && is_pod(&history->pods[last->pod], pod);
    bool goes_on =
        same && !first && last->wrong == wrong && now_ns - last->to_ns <= history->silence_ns;
    if (first && last != NULL) {
        struct failover_bin *bin = bin_at(history, now_ns);
        if (bin != NULL) {
            bin->back++;
        }
    }
    if (!goes_on && !lanes->cut) {
        bool reopened = last != NULL && (first || last->reopened);
        last = add_lane(lanes);
        if (!lanes->cut) {
            *last = (struct failover_lane){.from_ns = now_ns,
                                           .pod = pod_number(history, pod),
                                           .first = first,
                                           .reopened = reopened,
                                           .wrong = wrong};
        }
    }
    last->wrong = last->wrong || wrong; /* also of what was cut */
    last->to_ns = now_ns;
}

void failover_lanes_close(const struct failover_history *history, struct failover_lanes *lanes,
                          uint64_t now_ns)
{
    struct failover_lane *last = lanes->count > 0 ? &lanes->all[lanes->count - 1] : NULL;
    if (last != NULL && now_ns - last->to_ns <= history->gone_ns) {
        last->to_ns = now_ns;
    }
}
