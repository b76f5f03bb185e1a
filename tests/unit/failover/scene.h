/* A result as a run leaves it, made by hand: streams, what answered them and when. The fault begins
 * at 1000 ms. */
#ifndef GRPCROUTE_TEST_FAILOVER_SCENE_H
#define GRPCROUTE_TEST_FAILOVER_SCENE_H

#include "failover/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka needs those first */
#include <cmocka.h>

#define MS       UINT64_C(1000000)
#define FAULT_MS 1000
#define STREAMS  100

static const struct role_expectation any = {.rule = ROLE_EXPECT_ANY};

static inline struct failover_result *scene_new(size_t streams)
{
    struct failover_result *result = calloc(1, sizeof(*result));
    result->history.silence_ns = 250 * MS;
    result->history.gone_ns = 250 * MS;
    result->history.began_ns = 1;
    result->history.fault_ns = FAULT_MS * MS;
    result->history.over_ns = (FAULT_MS + 100) * MS;
    result->fault_ended = true;
    result->interval_ns = 100 * MS;
    result->max_gap_ns = 10000 * MS;
    result->max_spread_percent = result->max_herd = -1;
    result->even_percent = FAILOVER_EVEN_PERCENT;
    result->streams = calloc(streams, sizeof(*result->streams));
    result->stream_count = streams;
    for (size_t i = 0; i < streams; i++) {
        result->streams[i].version = "v1.1";
        result->streams[i].expect = &any;
        result->streams[i].back = true;
    }
    return result;
}

/* The stream is answered by the pod every 100 ms, from and to these times. */
static inline void scene_answer(struct failover_result *result, size_t stream, const char *name,
                                const char *version, uint64_t from_ms, uint64_t to_ms, bool first)
{
    struct failover_pod pod = {0};
    snprintf(pod.name, sizeof(pod.name), "%s", name);
    snprintf(pod.version, sizeof(pod.version), "%s", version);
    for (uint64_t at = from_ms; at <= to_ms; at += 100) {
        failover_lanes_answer(&result->history, &result->streams[stream].lanes, at * MS, &pod,
                              first && at == from_ms, false);
    }
}

static inline void scene_called(struct failover_result *result, const char *name,
                                const char *version)
{
    struct failover_pod pod = {0};
    snprintf(pod.name, sizeof(pod.name), "%s", name);
    snprintf(pod.version, sizeof(pod.version), "%s", version);
    failover_history_called(&result->history, &pod);
}

static inline void scene_end(struct failover_result *result, uint64_t at_ms)
{
    result->history.ended_ns = at_ms * MS;
    for (size_t i = 0; i < result->stream_count; i++) {
        failover_lanes_close(&result->history, &result->streams[i].lanes, at_ms * MS);
    }
    failover_find(result);
}

static inline void scene_free(struct failover_result *result)
{
    failover_result_deinit(result);
    free(result);
}

#endif
