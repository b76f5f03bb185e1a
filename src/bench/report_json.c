/* A result as the JSON of a report. */
#include "base/mem.h"
#include "bench/report_fields.h"
#include "bench/report_file.h"

#include <cJSON.h>
#include <string.h>

static const struct {
    const char *name;
    double fraction;
} QUANTILES[] = {{"p50_ns", 0.5},     {"p90_ns", 0.9},       {"p95_ns", 0.95}, {"p99_ns", 0.99},
                 {"p99_9_ns", 0.999}, {"p99_99_ns", 0.9999}, {"max_ns", 1}};

static cJSON *histogram_object(const struct histogram *histogram)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "count", (double)histogram->count);
    cJSON_AddNumberToObject(object, "sum_ns", (double)histogram->sum_ns);
    cJSON_AddNumberToObject(object, "min_ns", (double)histogram->min_ns);
    for (size_t i = 0; i < ARRAY_SIZE(QUANTILES); i++) {
        cJSON_AddNumberToObject(object, QUANTILES[i].name,
                                (double)histogram_quantile(histogram, QUANTILES[i].fraction));
    }
    cJSON *buckets =
        cJSON_AddArrayToObject(object, "buckets"); /* index, count, index, count, ... */
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (histogram->buckets[i] > 0) {
            cJSON_AddItemToArray(buckets, cJSON_CreateNumber((double)i));
            cJSON_AddItemToArray(buckets, cJSON_CreateNumber((double)histogram->buckets[i]));
        }
    }
    return object;
}

static void add_causes(cJSON *root, const struct bench_result *result)
{
    cJSON *causes = cJSON_AddObjectToObject(root, "errors");
    for (size_t i = 0; i < result->cause_count; i++) {
        char cause[BENCH_CAUSE_BYTES]; /* is escaped again when it is read */
        snprintf(cause, sizeof(cause), "%s", result->causes[i].text);
        text_make_readable(cause);
        cJSON_AddNumberToObject(causes, cause, (double)result->causes[i].count);
    }
}

static void add_costs(cJSON *root, const struct bench_result *result)
{
    cJSON_AddNumberToObject(root, "driver_cpu_seconds", result->driver_cpu_seconds);
    cJSON_AddNumberToObject(root, "busiest_driver_cpu_seconds", result->busiest_cpu_seconds);
    cJSON *costs = cJSON_AddArrayToObject(root, "processes");
    for (size_t i = 0; i < result->setup.pid_count; i++) {
        const struct bench_cost *cost = &result->costs[i];
        cJSON *object = cJSON_CreateObject();
        cJSON_AddNumberToObject(object, "pid", cost->pid);
        cJSON_AddBoolToObject(object, "ended", cost->ended);
        cJSON_AddNumberToObject(object, "cpu_seconds", cost->cpu_seconds);
        cJSON_AddNumberToObject(object, "memory_kib", (double)cost->memory_kib);
        cJSON_AddNumberToObject(object, "idle_streams_kib", (double)cost->idle_streams_kib);
        cJSON_AddItemToArray(costs, object);
    }
}

static void add_timeline(cJSON *root, const struct bench_result *result)
{
    cJSON *timeline = cJSON_AddArrayToObject(root, "timeline");
    for (size_t i = 0; i < result->timeline_count; i++) {
        cJSON *second = cJSON_CreateObject();
        cJSON_AddNumberToObject(second, "answered", (double)result->timeline[i].answered);
        cJSON_AddNumberToObject(second, "p50_ns", (double)result->timeline[i].p50_ns);
        cJSON_AddNumberToObject(second, "p99_ns", (double)result->timeline[i].p99_ns);
        cJSON_AddNumberToObject(second, "length_ns", (double)result->timeline[i].length_ns);
        cJSON_AddItemToArray(timeline, second);
    }
}

static void add_unchecked(cJSON *root, const struct bench_result *result)
{
    cJSON *list = cJSON_AddArrayToObject(root, "not_checked");
    for (size_t i = 0; i < result->unchecked_count; i++) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "agent_version", result->unchecked[i].version);
        cJSON_AddStringToObject(object, "reason", result->unchecked[i].reason);
        cJSON_AddItemToArray(list, object);
    }
}

static void add_counters(cJSON *root, const struct bench_result *result,
                         const struct bench_report_field *fields)
{
    for (const struct bench_report_field *field = fields; field->name != NULL; field++) {
        uint64_t value;
        memcpy(&value, (const char *)result + field->offset, sizeof(value));
        if (value == 0 && bench_is_blind(result, field->offset)) {
            cJSON_AddNullToObject(root, field->name);
        } else {
            cJSON_AddNumberToObject(root, field->name, (double)value);
        }
    }
}

void bench_report_add_json(cJSON *root, const struct bench_result *result)
{
    cJSON_AddStringToObject(root, "format", REPORT_FORMAT);
    cJSON_AddStringToObject(root, "method", result->setup.method);
    cJSON_AddStringToObject(root, "call", role_call_choices[result->setup.call]);
    cJSON_AddBoolToObject(root, "tls", result->setup.tls);
    cJSON *versions = cJSON_AddArrayToObject(root, "versions");
    for (size_t i = 0; i < result->setup.version_count; i++) {
        cJSON_AddItemToArray(versions, cJSON_CreateString(result->setup.versions[i]));
    }
    const char *invalid = bench_invalid(result);
    cJSON_AddBoolToObject(root, "valid", invalid == NULL);
    if (invalid != NULL) {
        cJSON_AddStringToObject(root, "invalid_because", invalid);
    }
    add_counters(root, result, bench_report_fields);
    add_counters(root, result, bench_report_later_fields);
    cJSON_AddBoolToObject(root, "merged_unlike", result->unlike);
    cJSON_AddBoolToObject(root, "merged_invalid", result->holds_invalid);
    cJSON_AddNumberToObject(root, "streams_unopened", (double)result->unopened);
    add_causes(root, result);
    add_costs(root, result);
    for (const struct bench_report_field *field = bench_report_histograms; field->name != NULL;
         field++) {
        const void *at = (const char *)result + field->offset;
        cJSON_AddItemToObject(root, field->name, histogram_object(at));
    }
    add_timeline(root, result);
    add_unchecked(root, result);
}

cJSON *bench_report_to_json(const struct bench_result *result)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "target", result->setup.target);
    bench_report_add_json(root, result);
    return root;
}

void bench_report_json(FILE *out, const struct bench_result *result)
{
    cJSON *root = bench_report_to_json(result);
    char *text = cJSON_Print(root);
    fprintf(out, "%s\n", text);
    cJSON_free(text);
    cJSON_Delete(root);
}
