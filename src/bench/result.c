#include "bench/result.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A driver that used this much of its core, or whose timer fired so late, measured itself. */
#define DRIVER_CPU_MAX         0.95
#define DRIVER_LATENESS_MAX_NS UINT64_C(20000000)

/* The entry for `text`; when the table is full, the last one. */
static struct bench_cause *find_cause(struct bench_result *result, const char *text)
{
    for (size_t i = 0; i < result->cause_count; i++) {
        if (strcmp(result->causes[i].text, text) == 0) {
            return &result->causes[i];
        }
    }
    if (result->cause_count < BENCH_CAUSES_MAX) {
        struct bench_cause *cause = &result->causes[result->cause_count++];
        bool last = result->cause_count == BENCH_CAUSES_MAX;
        snprintf(cause->text, sizeof(cause->text), "%s", last ? "other" : text);
    }
    return &result->causes[result->cause_count - 1];
}

void bench_count_cause(struct bench_result *result, const char *text, uint64_t count)
{
    char escaped[BENCH_CAUSE_BYTES];
    text_escape(escaped, sizeof(escaped), text, strlen(text));
    find_cause(result, escaped)->count += count;
}

void bench_add_unchecked(struct bench_result *result, const char *version, const char *reason)
{
    for (size_t i = 0; i < result->unchecked_count; i++) {
        if (strcmp(result->unchecked[i].version, version) == 0) {
            return;
        }
    }
    if (result->unchecked_count < BENCH_VERSIONS_MAX) {
        struct bench_unchecked *unchecked = &result->unchecked[result->unchecked_count++];
        snprintf(unchecked->version, sizeof(unchecked->version), "%s", version);
        text_escape(unchecked->reason, sizeof(unchecked->reason), reason, strlen(reason));
    }
}

bool bench_is_blind(const struct bench_result *result, size_t offset)
{
    bool answered = result->answered > 0 || result->streams_opened > 0;
    bool streams = !bench_is_per_call(result->setup.call); /* each call is on its own */
    switch (offset) {
    case offsetof(struct bench_result, disordered):
        return result->unsequenced > 0 || !streams || !answered;
    case offsetof(struct bench_result, moved):
        return result->unplaced > 0 || !streams || !answered;
    case offsetof(struct bench_result, misrouted):
        return result->unchecked_count > 0 || !answered;
    default:
        return false;
    }
}

uint64_t bench_errors(const struct bench_result *result)
{
    uint64_t errors = 0;
    for (size_t i = 0; i < result->cause_count; i++) {
        errors += result->causes[i].count;
    }
    return errors;
}

const char *bench_driver_fault(const struct bench_result *result)
{
    double seconds = (double)result->seconds_ns / 1e9;
    if (seconds > 0 && result->busiest_cpu_seconds / seconds > DRIVER_CPU_MAX) {
        return "the driver used its whole core; lower --rate, or share the load between machines "
               "and bench merge";
    }
    if (histogram_quantile(&result->lateness, 0.99) > DRIVER_LATENESS_MAX_NS) {
        return "the driver sent its messages more than 20ms late; this machine is too busy";
    }
    return NULL;
}

const char *bench_invalid(const struct bench_result *result)
{
    const char *fault = bench_driver_fault(result);
    if (fault == NULL && result->cut_short) {
        return "a load was interrupted before its end";
    }
    if (fault == NULL && result->holds_invalid) {
        return "a load that was merged was not valid";
    }
    if (fault == NULL && result->answered == 0) {
        return "no message was answered in the time that counts";
    }
    return fault;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void merge_timeline(struct bench_result *into, const struct bench_result *from)
{
    if (from->timeline_count > into->timeline_count) {
        struct bench_second *longer = mem_calloc(from->timeline_count, sizeof(*longer));
        memcpy(longer, into->timeline, into->timeline_count * sizeof(*longer));
        free(into->timeline);
        into->timeline = longer;
        into->timeline_count = from->timeline_count;
    }
    for (size_t i = 0; i < from->timeline_count; i++) {
        into->timeline[i].answered += from->timeline[i].answered;
        into->timeline[i].p50_ns = larger(into->timeline[i].p50_ns, from->timeline[i].p50_ns);
        into->timeline[i].p99_ns = larger(into->timeline[i].p99_ns, from->timeline[i].p99_ns);
        into->timeline[i].length_ns =
            larger(into->timeline[i].length_ns, from->timeline[i].length_ns);
    }
}

bool bench_is_alike(const struct bench_setup *a, const struct bench_setup *b)
{
    bool alike = strcmp(a->method, b->method) == 0 && a->call == b->call && a->tls == b->tls &&
                 a->size_bytes == b->size_bytes && (a->rate > 0) == (b->rate > 0) &&
                 a->version_count == b->version_count;
    for (size_t i = 0; i < a->version_count && alike; i++) {
        alike = strcmp(a->versions[i], b->versions[i]) == 0;
    }
    return alike;
}

static void merge_reports(struct bench_result *into, const struct bench_result *from)
{
    size_t count = into->report_count + from->report_count;
    if (from->report_count == 0) {
        return;
    }
    into->reports = mem_realloc(into->reports, count * sizeof(*into->reports));
    memcpy(into->reports + into->report_count, from->reports,
           from->report_count * sizeof(*from->reports));
    into->report_count = count;
}

bool bench_shares_report(const struct bench_result *a, const struct bench_result *b)
{
    for (size_t i = 0; i < a->report_count; i++) {
        for (size_t j = 0; j < b->report_count; j++) {
            if (a->reports[i] == b->reports[j]) {
                return true;
            }
        }
    }
    return false;
}

void bench_merge(struct bench_result *into, const struct bench_result *from)
{
    into->holds_invalid = into->holds_invalid || from->holds_invalid ||
                          bench_driver_fault(into) != NULL || bench_driver_fault(from) != NULL;
    into->unlike = into->unlike || from->unlike || !bench_is_alike(&into->setup, &from->setup);
    into->setup.connections += from->setup.connections;
    into->setup.rate += from->setup.rate;
    into->seconds_ns = larger(into->seconds_ns, from->seconds_ns);
    into->sent += from->sent;
    into->answered += from->answered;
    into->unanswered += from->unanswered;
    into->lost += from->lost;
    into->misrouted += from->misrouted;
    into->moved += from->moved;
    into->disordered += from->disordered;
    into->unsequenced += from->unsequenced;
    into->unplaced += from->unplaced;
    into->streams_opened += from->streams_opened;
    into->unopened += from->unopened;
    into->reopened += from->reopened;
    into->left_open += from->left_open;
    into->planned += from->planned;
    into->withdrawn += from->withdrawn;
    into->sent_again += from->sent_again;
    into->opening_ns = larger(into->opening_ns, from->opening_ns);
    histogram_merge(&into->latency, &from->latency);
    histogram_merge(&into->lateness, &from->lateness);
    histogram_merge(&into->opening, &from->opening);
    for (size_t i = 0; i < from->cause_count; i++) {
        bench_count_cause(into, from->causes[i].text, from->causes[i].count);
    }
    into->driver_cpu_seconds += from->driver_cpu_seconds;
    if (from->busiest_cpu_seconds > into->busiest_cpu_seconds) {
        into->busiest_cpu_seconds = from->busiest_cpu_seconds;
    }
    for (size_t i = 0; i < from->unchecked_count; i++) {
        bench_add_unchecked(into, from->unchecked[i].version, from->unchecked[i].reason);
    }
    into->cut_short = into->cut_short || from->cut_short;
    merge_timeline(into, from);
    merge_reports(into, from);
}

void bench_result_deinit(struct bench_result *result)
{
    free(result->timeline);
    result->timeline = NULL;
    result->timeline_count = 0;
    free(result->reports);
    result->reports = NULL;
    result->report_count = 0;
}
