#include "bench/threshold.h"

#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNTER(field) BENCH_COUNT, 0, offsetof(struct bench_result, field)

static const struct bench_metric METRICS[] = {
    {"p50", BENCH_NANOSECONDS, 0.5, 0, NULL},
    {"p90", BENCH_NANOSECONDS, 0.9, 0, NULL},
    {"p95", BENCH_NANOSECONDS, 0.95, 0, NULL},
    {"p99", BENCH_NANOSECONDS, 0.99, 0, NULL},
    {"p99.9", BENCH_NANOSECONDS, 0.999, 0, NULL},
    {"p99.99", BENCH_NANOSECONDS, 0.9999, 0, NULL},
    {"max", BENCH_NANOSECONDS, 1, 0, NULL},
    {"mean", BENCH_NANOSECONDS, 0, 0, NULL},
    {"rate", BENCH_PER_SECOND, 0, 0, NULL},
    {"errors", BENCH_COUNT, 0, 0, "streams or connections ended with an error"},
    {"unopened", COUNTER(unopened), "streams were not opened at the first try"},
    {"lost", COUNTER(lost), "messages were lost with their stream"},
    {"unanswered", COUNTER(unanswered), "messages were not answered"},
    {"misrouted", COUNTER(misrouted), NULL}, /* these two always fail */
    {"moved", COUNTER(moved), NULL},
    {"disordered", COUNTER(disordered), "answers were out of order or too many"},
    {"reopened", COUNTER(reopened), NULL},
};

const struct bench_metric *bench_metric(size_t index)
{
    return index < ARRAY_SIZE(METRICS) ? &METRICS[index] : NULL;
}

const struct bench_metric *bench_metric_find(const char *name, size_t name_len)
{
    for (size_t i = 0; i < ARRAY_SIZE(METRICS); i++) {
        if (strlen(METRICS[i].name) == name_len && memcmp(METRICS[i].name, name, name_len) == 0) {
            return &METRICS[i];
        }
    }
    return NULL;
}

enum comparison { LESS_OR_EQUAL, GREATER_OR_EQUAL, EQUAL, LESS, GREATER };
static const char *const COMPARISONS[] = {"<=", ">=", "==", "<", ">"}; /* longer ones first */

static bool parse_limit(const char *text, enum bench_unit unit, double *ret)
{
    if (unit == BENCH_NANOSECONDS) {
        uint64_t ns;
        const char *reason;
        if (text_parse_duration(text, &ns, &reason) != 0) {
            return false;
        }
        *ret = (double)ns;
        return true;
    }
    char *end;
    if (strspn(text, "0123456789.eE+-") != strlen(text)) {
        return false; /* strtod() also takes blanks, hexadecimal, inf and nan */
    }
    errno = 0;
    *ret = strtod(text, &end);
    return end != text && *end == '\0' && errno == 0 && *ret >= 0;
}

int bench_threshold_parse(const char *text, struct bench_threshold *ret)
{
    const char *name = text + strspn(text, " ");
    size_t name_len = strcspn(name, "<>= ");
    const char *sign = name + name_len + strspn(name + name_len, " ");
    const struct bench_metric *metric = bench_metric_find(name, name_len);
    for (unsigned i = 0; metric != NULL && i < ARRAY_SIZE(COMPARISONS); i++) {
        size_t len = strlen(COMPARISONS[i]);
        if (strncmp(sign, COMPARISONS[i], len) == 0) {
            const char *limit = sign + len + strspn(sign + len, " ");
            *ret = (struct bench_threshold){.text = text, .metric = metric, .comparison = i};
            return parse_limit(limit, metric->unit, &ret->limit) ? 0 : 1;
        }
    }
    return 1;
}

double bench_metric_value(const struct bench_metric *metric, const struct bench_result *result)
{
    const struct histogram *latency = &result->latency;
    if (metric->quantile > 0) {
        return (double)histogram_quantile(latency, metric->quantile);
    }
    if (metric->unit == BENCH_NANOSECONDS) {
        return latency->count > 0 ? (double)latency->sum_ns / (double)latency->count : 0;
    }
    if (metric->unit == BENCH_PER_SECOND) {
        return result->seconds_ns > 0 ? (double)result->answered * 1e9 / (double)result->seconds_ns
                                      : 0;
    }
    if (metric->count_offset == 0) {
        return (double)bench_errors(result);
    }
    uint64_t count;
    memcpy(&count, (const char *)result + metric->count_offset, sizeof(count));
    return (double)count;
}

char *bench_metric_text(const struct bench_metric *metric, const struct bench_result *result,
                        char out[static THRESHOLD_SHOWN_BYTES])
{
    double value = bench_metric_value(metric, result);
    if (bench_metric_is_blind(metric, result)) {
        snprintf(out, THRESHOLD_SHOWN_BYTES, "not checked");
        return out;
    }
    if (metric->unit == BENCH_NANOSECONDS) {
        return text_format_duration(out, THRESHOLD_SHOWN_BYTES, (uint64_t)value);
    }
    snprintf(out, THRESHOLD_SHOWN_BYTES, metric->unit == BENCH_COUNT ? "%.0f" : "%.1f", value);
    return out;
}

static bool compare(double value, unsigned comparison, double limit)
{
    switch (comparison) {
    case LESS_OR_EQUAL:
        return value <= limit;
    case GREATER_OR_EQUAL:
        return value >= limit;
    case EQUAL:
        return value == limit;
    case LESS:
        return value < limit;
    default:
        return value > limit;
    }
}

bool bench_threshold_holds(const struct bench_threshold *threshold,
                           const struct bench_result *result,
                           char shown[static THRESHOLD_SHOWN_BYTES])
{
    const struct bench_metric *metric = threshold->metric;
    double value = bench_metric_value(metric, result);
    bench_metric_text(metric, result, shown);
    /* A latency of no messages proves nothing. */
    bool seen = metric->unit != BENCH_NANOSECONDS || result->latency.count > 0;
    return seen && compare(value, threshold->comparison, threshold->limit);
}

/* What it keeps out: nothing below, nothing above, and whether the limit itself. */
static bool bounds_above(unsigned comparison)
{
    return comparison == LESS || comparison == LESS_OR_EQUAL || comparison == EQUAL;
}

static bool bounds_below(unsigned comparison)
{
    return comparison == GREATER || comparison == GREATER_OR_EQUAL || comparison == EQUAL;
}

static bool leaves_nothing(const struct bench_threshold *upper, const struct bench_threshold *lower)
{
    if (!bounds_above(upper->comparison) || !bounds_below(lower->comparison)) {
        return false;
    }
    bool open = upper->comparison == LESS || lower->comparison == GREATER;
    return upper->limit < lower->limit || (open && upper->limit == lower->limit);
}

bool bench_threshold_excludes(const struct bench_threshold *a, const struct bench_threshold *b)
{
    return a->metric == b->metric && (leaves_nothing(a, b) || leaves_nothing(b, a));
}

bool bench_metric_is_blind(const struct bench_metric *metric, const struct bench_result *result)
{
    return metric->unit == BENCH_COUNT && bench_is_blind(result, metric->count_offset) &&
           bench_metric_value(metric, result) <= 0;
}

bool bench_threshold_is_blind(const struct bench_threshold *threshold,
                              const struct bench_result *result)
{
    return bench_is_blind(result, threshold->metric->count_offset);
}

bool bench_threshold_is_missed(const struct bench_metric *metric,
                               const struct bench_threshold *thresholds, size_t count,
                               const struct bench_result *result)
{
    bool named = metric->must_not == NULL;
    for (size_t i = 0; i < count; i++) {
        named = named || thresholds[i].metric == metric;
    }
    bool excused = metric->count_offset == offsetof(struct bench_result, unanswered) &&
                   bench_driver_fault(result) != NULL;
    return !named && !excused && bench_metric_value(metric, result) > 0;
}
