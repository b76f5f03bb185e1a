/* The JSON of a report as a result: somebody's file, of which nothing is believed. */
#include "base/hash.h"
#include "base/mem.h"
#include "bench/report_fields.h"
#include "bench/report_file.h"
#include "rpc/ping.h"

#include <cJSON.h>
#include <string.h>

#define NUMBER_MAX 1e18 /* so that many reports add up without wrapping */

/* Takes a count. Returns 0, or 1 when there is none: what is missing or out of range must not read
 * as "none happened". */
static int read_number(const cJSON *item, uint64_t *ret)
{
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble < NUMBER_MAX)) {
        return 1;
    }
    *ret = (uint64_t)item->valuedouble;
    return (double)*ret == item->valuedouble ? 0 : 1;
}

static int number_in(const cJSON *object, const char *name, uint64_t *ret)
{
    return read_number(cJSON_GetObjectItemCaseSensitive(object, name), ret);
}

static int seconds_in(const cJSON *object, const char *name, double *ret)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble < NUMBER_MAX)) {
        return 1;
    }
    *ret = item->valuedouble;
    return 0;
}

static int64_t signed_in(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(item) && item->valuedouble > -9e18 && item->valuedouble < 9e18
               ? (int64_t)item->valuedouble
               : 0;
}

/* A text of somebody's report, as it may be shown. */
static void read_text(const cJSON *item, char *out, size_t out_bytes)
{
    const char *text = cJSON_IsString(item) ? item->valuestring : "";
    text_escape(out, out_bytes, text, strlen(text));
}

/* Pairs of a bucket's number and its count, in order. Returns 0 when they add up to `count`. */
static int read_buckets(const cJSON *buckets, uint64_t count, struct histogram *ret)
{
    uint64_t left = count;
    uint64_t next = 0;
    for (const cJSON *item = buckets->child; item != NULL; item = item->next->next) {
        uint64_t index;
        uint64_t samples;
        if (read_number(item, &index) != 0 || index < next || index >= HISTOGRAM_BUCKETS ||
            read_number(item->next, &samples) != 0 || samples > left) {
            return 1;
        }
        ret->buckets[index] = samples;
        left -= samples;
        next = index + 1;
    }
    return left == 0 ? 0 : 1;
}

static int read_histogram(const cJSON *object, struct histogram *ret)
{
    const cJSON *buckets = cJSON_GetObjectItemCaseSensitive(object, "buckets");
    if (!cJSON_IsArray(buckets) || number_in(object, "count", &ret->count) != 0 ||
        number_in(object, "sum_ns", &ret->sum_ns) != 0 ||
        number_in(object, "min_ns", &ret->min_ns) != 0 ||
        number_in(object, "max_ns", &ret->max_ns) != 0 || ret->min_ns > ret->max_ns) {
        return 1;
    }
    if (ret->count == 0) { /* of nothing, no figure means anything */
        memset(ret, 0, sizeof(*ret));
    }
    return read_buckets(buckets, ret->count, ret);
}

static int read_timeline(const cJSON *root, struct bench_result *ret)
{
    const cJSON *timeline = cJSON_GetObjectItemCaseSensitive(root, "timeline");
    const cJSON *item;
    size_t count = (size_t)cJSON_GetArraySize(timeline);
    if (count > BENCH_SECONDS_MAX) {
        return 1;
    }
    ret->timeline = mem_calloc(count + 1, sizeof(*ret->timeline));
    cJSON_ArrayForEach(item, timeline)
    {
        struct bench_second *second = &ret->timeline[ret->timeline_count++];
        if (number_in(item, "answered", &second->answered) != 0 ||
            number_in(item, "p50_ns", &second->p50_ns) != 0 ||
            number_in(item, "p99_ns", &second->p99_ns) != 0) {
            return 1;
        }
        if (number_in(item, "length_ns", &second->length_ns) != 0) {
            second->length_ns = UINT64_C(1000000000); /* of a version that kept whole ones only */
        }
    }
    return 0;
}

/* Reports of a program that did not know of it have none. */
static int read_unchecked(const cJSON *root, struct bench_result *ret)
{
    char version[CLI_AGENT_VERSION_BYTES];
    char reason[ROLE_REASON_BYTES];
    const cJSON *item;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(root, "not_checked"))
    {
        read_text(cJSON_GetObjectItemCaseSensitive(item, "agent_version"), version,
                  sizeof(version));
        read_text(cJSON_GetObjectItemCaseSensitive(item, "reason"), reason, sizeof(reason));
        if (version[0] == '\0') {
            return 1;
        }
        bench_add_unchecked(ret, version, reason);
    }
    const cJSON *result = cJSON_GetObjectItemCaseSensitive(root, "result");
    ret->cut_short = cJSON_IsString(result) && strcmp(result->valuestring, "interrupted") == 0;
    return 0;
}

static void read_versions(const cJSON *root, struct bench_result *ret)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(root, "versions"))
    {
        if (cJSON_IsString(item) && ret->setup.version_count < BENCH_VERSIONS_MAX) {
            read_text(item, ret->setup.versions[ret->setup.version_count++],
                      CLI_AGENT_VERSION_BYTES);
        }
    }
}

/* Reports of a program that knew of nothing else are of PingPong. */
static int read_service(const cJSON *root, struct bench_setup *ret)
{
    const cJSON *method = cJSON_GetObjectItemCaseSensitive(root, "method");
    const cJSON *call = cJSON_GetObjectItemCaseSensitive(root, "call");
    const char *path = method == NULL ? RPC_PING_PATH : cJSON_GetStringValue(method);
    const char *kind = call == NULL ? role_call_choices[0] : cJSON_GetStringValue(call);
    if (path == NULL || kind == NULL || role_service_path(path, ret->method) != 0) {
        return 1;
    }
    for (unsigned i = 0; role_call_choices[i] != NULL; i++) {
        if (strcmp(role_call_choices[i], kind) == 0) {
            ret->call = (enum role_call)i;
            return 0;
        }
    }
    return 1;
}

static int read_causes(const cJSON *root, struct bench_result *ret)
{
    const cJSON *causes = cJSON_GetObjectItemCaseSensitive(root, "errors");
    const cJSON *item;
    if (!cJSON_IsObject(causes)) {
        return 1;
    }
    cJSON_ArrayForEach(item, causes)
    {
        uint64_t count;
        if (read_number(item, &count) != 0) {
            return 1;
        }
        bench_count_cause(ret, item->string, count);
    }
    return 0;
}

static int read_cost(const cJSON *object, struct bench_cost *ret)
{
    uint64_t pid;
    if (number_in(object, "pid", &pid) != 0 || pid > INT32_MAX ||
        seconds_in(object, "cpu_seconds", &ret->cpu_seconds) != 0 ||
        number_in(object, "memory_kib", &ret->memory_kib) != 0) {
        return 1;
    }
    ret->pid = (pid_t)pid;
    ret->ended = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, "ended"));
    ret->idle_streams_kib = signed_in(object, "idle_streams_kib");
    return 0;
}

/* One driver is the busiest of all, as in reports that do not name it. */
static int read_driver(const cJSON *root, struct bench_result *ret)
{
    static const char busiest[] = "busiest_driver_cpu_seconds";
    if (seconds_in(root, "driver_cpu_seconds", &ret->driver_cpu_seconds) != 0) {
        return 1;
    }
    ret->busiest_cpu_seconds = ret->driver_cpu_seconds;
    return cJSON_HasObjectItem(root, busiest) ? seconds_in(root, busiest, &ret->busiest_cpu_seconds)
                                              : 0;
}

static int read_costs(const cJSON *root, struct bench_result *ret)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(root, "processes"))
    {
        size_t number = ret->setup.pid_count;
        if (number == BENCH_PIDS_MAX || read_cost(item, &ret->costs[number]) != 0) {
            return 1;
        }
        ret->setup.pids[ret->setup.pid_count++] = ret->costs[number].pid;
    }
    return 0;
}

/* What else the report holds says that it was not seen. */
static bool is_unseen(const cJSON *root, const struct bench_report_field *field)
{
    bool may_be = field->offset == offsetof(struct bench_result, misrouted) ||
                  field->offset == offsetof(struct bench_result, moved) ||
                  field->offset == offsetof(struct bench_result, disordered);
    return may_be && cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(root, field->name));
}

static int read_fields(const cJSON *root, const struct bench_report_field *fields, bool may_miss,
                       struct bench_result *ret)
{
    for (const struct bench_report_field *field = fields; field->name != NULL; field++) {
        uint64_t value = 0;
        bool is_missing =
            (may_miss && !cJSON_HasObjectItem(root, field->name)) || is_unseen(root, field);
        if (!is_missing && number_in(root, field->name, &value) != 0) {
            return 1;
        }
        memcpy((char *)ret + field->offset, &value, sizeof(value));
    }
    return 0;
}

static int read_counters(const cJSON *root, struct bench_result *ret)
{
    if (read_fields(root, bench_report_fields, false, ret) != 0 ||
        read_fields(root, bench_report_later_fields, true, ret) != 0) {
        return 1;
    }
    ret->holds_invalid = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(root, "merged_invalid"));
    ret->unlike = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(root, "merged_unlike"));
    if (number_in(root, "streams_unopened", &ret->unopened) != 0) {
        /* written by a version that did not count them */
        uint64_t wanted = ret->setup.connections * ret->setup.streams;
        ret->unopened = wanted > ret->streams_opened ? wanted - ret->streams_opened : 0;
    }
    return ret->setup.connections == 0 || ret->setup.streams == 0 || ret->answered > ret->sent ||
           read_driver(root, ret) != 0;
}

/* All of it, its beginning in time included: no two loads have the same. */
static void mark(const cJSON *root, struct bench_result *ret)
{
    char *text = cJSON_PrintUnformatted(root);
    ret->reports = mem_calloc(1, sizeof(*ret->reports));
    ret->reports[0] = hash_text(HASH_BASIS, text != NULL ? text : "");
    ret->report_count = 1;
    cJSON_free(text);
}

int bench_report_from_json(const cJSON *root, struct bench_result *ret)
{
    const cJSON *format = cJSON_GetObjectItemCaseSensitive(root, "format");
    if (!cJSON_IsString(format) || strcmp(format->valuestring, REPORT_FORMAT) != 0) {
        return 1;
    }
    read_text(cJSON_GetObjectItemCaseSensitive(root, "target"), ret->setup.target,
              sizeof(ret->setup.target));
    ret->setup.tls = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(root, "tls"));
    read_versions(root, ret);
    if (read_service(root, &ret->setup) != 0 || read_counters(root, ret) != 0 ||
        read_causes(root, ret) != 0 || read_costs(root, ret) != 0 ||
        read_timeline(root, ret) != 0 || read_unchecked(root, ret) != 0) {
        return 1;
    }
    for (const struct bench_report_field *field = bench_report_histograms; field->name != NULL;
         field++) {
        const cJSON *object = cJSON_GetObjectItemCaseSensitive(root, field->name);
        if (read_histogram(object, (struct histogram *)((char *)ret + field->offset)) != 0) {
            return 1;
        }
    }
    mark(root, ret);
    return 0;
}
