#include "bench/threshold.h"

#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum unit { NANOSECONDS, PER_SECOND, COUNT };

struct metric {
    const char *name;
    enum unit unit;
    double quantile;     /* of the latency; 0: none */
    size_t count_offset; /* COUNT: a uint64_t of struct bench_result; 0: see value_of() */
};

static const struct metric METRICS[] = {
    {"p50", NANOSECONDS, 0.5, 0},
    {"p90", NANOSECONDS, 0.9, 0},
    {"p95", NANOSECONDS, 0.95, 0},
    {"p99", NANOSECONDS, 0.99, 0},
    {"p99.9", NANOSECONDS, 0.999, 0},
    {"p99.99", NANOSECONDS, 0.9999, 0},
    {"max", NANOSECONDS, 1, 0},
    {"mean", NANOSECONDS, 0, 0},
    {"rate", PER_SECOND, 0, 0},
    {"errors", COUNT, 0, 0},
    {"lost", COUNT, 0, offsetof(struct bench_result, lost)},
    {"unanswered", COUNT, 0, offsetof(struct bench_result, unanswered)},
    {"misrouted", COUNT, 0, offsetof(struct bench_result, misrouted)},
    {"moved", COUNT, 0, offsetof(struct bench_result, moved)},
    {"reopened", COUNT, 0, offsetof(struct bench_result, reopened)},
};

enum comparison { LESS_OR_EQUAL, GREATER_OR_EQUAL, EQUAL, LESS, GREATER };
static const char *const COMPARISONS[] = {"<=", ">=", "==", "<", ">"}; /* longer ones first */

static bool parse_limit(const char *text, enum unit unit, double *ret)
{
    if (unit == NANOSECONDS) {
        uint64_t ns;
        const char *reason;
        if (text_parse_duration(text, &ns, &reason) != 0) {
            return false;
        }
        *ret = (double)ns;
        return true;
    }
    char *end;
    errno = 0;
    *ret = strtod(text, &end);
    return end != text && *end == '\0' && errno == 0 && *ret >= 0;
}

int threshold_parse(const char *text, struct threshold *ret)
{
    size_t name_len = strcspn(text, "<>=");
    for (unsigned metric = 0; metric < ARRAY_SIZE(METRICS); metric++) {
        if (strlen(METRICS[metric].name) != name_len ||
            memcmp(METRICS[metric].name, text, name_len) != 0) {
            continue;
        }
        for (unsigned i = 0; i < ARRAY_SIZE(COMPARISONS); i++) {
            size_t len = strlen(COMPARISONS[i]);
            if (strncmp(text + name_len, COMPARISONS[i], len) == 0) {
                *ret = (struct threshold){.text = text, .metric = metric, .comparison = i};
                return parse_limit(text + name_len + len, METRICS[metric].unit, &ret->limit) ? 0
                                                                                             : 1;
            }
        }
    }
    return 1;
}

static double value_of(const struct metric *metric, const struct bench_result *result)
{
    const struct histogram *latency = &result->latency;
    if (metric->quantile > 0) {
        return (double)histogram_quantile(latency, metric->quantile);
    }
    if (metric->unit == NANOSECONDS) {
        return latency->count > 0 ? (double)latency->sum_ns / (double)latency->count : 0;
    }
    if (metric->unit == PER_SECOND) {
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

bool threshold_holds(const struct threshold *threshold, const struct bench_result *result,
                     char shown[static THRESHOLD_SHOWN_BYTES])
{
    const struct metric *metric = &METRICS[threshold->metric];
    double value = value_of(metric, result);
    if (metric->unit == NANOSECONDS) {
        text_format_duration(shown, THRESHOLD_SHOWN_BYTES, (uint64_t)value);
    } else {
        snprintf(shown, THRESHOLD_SHOWN_BYTES, metric->unit == COUNT ? "%.0f" : "%.1f", value);
    }
    /* A latency of no messages proves nothing. */
    bool seen = metric->unit != NANOSECONDS || result->latency.count > 0;
    return seen && compare(value, threshold->comparison, threshold->limit);
}
