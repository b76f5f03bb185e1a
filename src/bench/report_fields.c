/* What stands in a report under its own name. */
#include "bench/report_fields.h"

#include "bench/result.h"

const struct bench_report_field bench_report_fields[] = {
    {"connections", offsetof(struct bench_result, setup.connections)},
    {"streams_per_connection", offsetof(struct bench_result, setup.streams)},
    {"rate", offsetof(struct bench_result, setup.rate)},
    {"size_bytes", offsetof(struct bench_result, setup.size_bytes)},
    {"ramp_ns", offsetof(struct bench_result, setup.ramp_ns)},
    {"warmup_ns", offsetof(struct bench_result, setup.warmup_ns)},
    {"duration_ns", offsetof(struct bench_result, setup.duration_ns)},
    {"seconds_ns", offsetof(struct bench_result, seconds_ns)},
    {"sent", offsetof(struct bench_result, sent)},
    {"answered", offsetof(struct bench_result, answered)},
    {"unanswered", offsetof(struct bench_result, unanswered)},
    {"lost", offsetof(struct bench_result, lost)},
    {"misrouted", offsetof(struct bench_result, misrouted)},
    {"moved", offsetof(struct bench_result, moved)},
    {"disordered", offsetof(struct bench_result, disordered)},
    {"streams_opened", offsetof(struct bench_result, streams_opened)},
    {"reopened", offsetof(struct bench_result, reopened)},
    {"opening_ns", offsetof(struct bench_result, opening_ns)},
    {NULL, 0},
};

const struct bench_report_field bench_report_later_fields[] = {
    {"unsequenced", offsetof(struct bench_result, unsequenced)},
    {"unplaced", offsetof(struct bench_result, unplaced)},
    {"streams_left_open", offsetof(struct bench_result, left_open)},
    {"ended_as_planned", offsetof(struct bench_result, planned)},
    {"withdrawn", offsetof(struct bench_result, withdrawn)},
    {"sent_again", offsetof(struct bench_result, sent_again)},
    {NULL, 0},
};

const struct bench_report_field bench_report_histograms[] = {
    {"latency", offsetof(struct bench_result, latency)},
    {"lateness", offsetof(struct bench_result, lateness)},
    {"opening", offsetof(struct bench_result, opening)},
    {NULL, 0},
};
