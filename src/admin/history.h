/* What the proxy did in the last 15 minutes, a sample each 5 s, kept whether or not anybody looks.
 * All of it has a fixed size: it grows neither with streams nor with time. */
#ifndef GRPCROUTE_ADMIN_HISTORY_H
#define GRPCROUTE_ADMIN_HISTORY_H

#include "relay/answer_time.h"
#include "relay/flow.h"

#include <stdint.h>

#define HISTORY_PERIOD_MS 5000
#define HISTORY_SAMPLES   180
/* Pairs of agent version and cluster whose streams are told apart; more are counted together. */
#define HISTORY_SERIES 32

struct cJSON;
struct relay;

/* The numbers of a sample: name in C and JSON. Those of a moment, and those of the time since the
 * sample before. */
#define HISTORY_NUMBERS(X)                                                                         \
    X(interval_ms)                                                                                 \
    X(streams)                                                                                     \
    X(connections)                                                                                 \
    X(messages_up)                                                                                 \
    X(messages_down)                                                                               \
    X(streams_begun)                                                                               \
    X(connections_begun)                                                                           \
    X(checked)                                                                                     \
    X(misrouted)                                                                                   \
    X(refused)

struct history_sample {
    uint64_t time_ms; /* of the wall clock, at the sample's end */
#define HISTORY_NUMBER(name) uint32_t name;
    HISTORY_NUMBERS(HISTORY_NUMBER)
#undef HISTORY_NUMBER
    float p50_us; /* of the answers in between; -1: none was timed */
    float p99_us;
};

struct history_series {
    char version[FLOW_LABEL_BYTES];
    char cluster[CLUSTER_NAME_BYTES];
    uint64_t last_number; /* when it last had streams; 0: the place is free */
    uint32_t streams[HISTORY_SAMPLES];
};

/* What has been counted since the proxy's start. */
struct history_counts {
    uint64_t at_ms; /* of the monotonic clock */
    uint64_t messages_up;
    uint64_t messages_down;
    uint64_t streams_begun;
    uint64_t connections_begun;
    uint64_t checked;
    uint64_t misrouted;
    uint64_t refused;
    uint64_t answers[ANSWER_TIME_BUCKETS];
};

struct history {
    uint64_t last_number; /* of a sample; number n is at n % HISTORY_SAMPLES; 0: there is none */
    struct history_counts counts; /* at the last one */
    struct history_sample samples[HISTORY_SAMPLES];
    struct history_series series[HISTORY_SERIES + 1]; /* the last one: what has no place */
};

/* Zeroed memory; the first sample is of the time since now. */
void history_init(struct history *history, struct relay *relay);

/* Takes the next sample. */
void history_take(struct history *history, struct relay *relay);

/* Adds to `object` the samples with numbers above `after` as columns: "number":[7,8],
 * "streams":[3,4], and "flows": an array of version, cluster and the column "streams". */
void history_json(const struct history *history, uint64_t after, struct cJSON *object);

#endif
