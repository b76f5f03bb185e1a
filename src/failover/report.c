/* The result for machines and CI: JSON, Markdown, and JUnit XML. */
#include "base/text.h"
#include "cli/exit.h"
#include "cli/invocation.h"
#include "cli/junit.h"
#include "cli/markdown.h"
#include "failover/result.h"
#include "role/service_json.h"

#include <cJSON.h>
#include <inttypes.h>

#define DURATION_BYTES 24
/* A job page has room for so much. */
#define STREAMS_SHOWN 100

static cJSON *stream_object(const struct failover_result *result,
                            const struct failover_stream *stream)
{
    cJSON *object = cJSON_CreateObject();
    char cause[FAILOVER_CAUSE_BYTES];
    snprintf(cause, sizeof(cause), "%s", stream->cause);
    text_make_readable(cause);
    cJSON_AddStringToObject(object, "agent_id", stream->agent_id);
    cJSON_AddStringToObject(object, "agent_version", stream->version);
    cJSON_AddBoolToObject(object, "version_checked", !failover_is_unchecked(stream));
    cJSON_AddStringToObject(object, "before", stream->before);
    cJSON_AddStringToObject(object, "after", stream->after);
    cJSON_AddStringToObject(object, "result", failover_stream_result(result, stream));
    cJSON_AddStringToObject(object, "cause", cause);
    cJSON_AddBoolToObject(object, "back", stream->back);
    cJSON_AddNumberToObject(object, "gap_ns", (double)stream->gap_ns);
    cJSON_AddNumberToObject(object, "sent", (double)stream->sent);
    cJSON_AddNumberToObject(object, "lost", (double)stream->lost);
    cJSON_AddNumberToObject(object, "repeated", (double)stream->repeated);
    cJSON_AddNumberToObject(object, "misrouted", (double)stream->misrouted);
    static const char *const ends[] = {
        [FAILOVER_END_NONE] = "none",
        [FAILOVER_END_GOOD] = "ok",
        [FAILOVER_END_BAD] = "bad",
        [FAILOVER_END_OPEN] = "open",
    };
    cJSON_AddStringToObject(object, "end", ends[stream->end]);
    cJSON_AddStringToObject(object, "end_cause", stream->end_cause);
    cJSON_AddNumberToObject(object, "unnamed", (double)stream->unnamed);
    return object;
}

/* What each stream must keep, and the worst that one did. */
struct limit {
    const char *text;
    const char *metric;
    const char *unit;
    uint64_t limit;
    uint64_t value;
};

#define LIMITS 4

static void take_limits(const struct failover_result *result, struct limit limits[static LIMITS])
{
    struct limit *gap = &limits[0];
    limits[0] = (struct limit){"gap<=max-gap", "gap", "ns", result->max_gap_ns, 0};
    limits[1] = (struct limit){"not_back<=0", "not_back", "streams", 0, 0};
    limits[2] = (struct limit){"misrouted<=0", "misrouted", "messages", 0, 0};
    limits[3] = (struct limit){"repeated<=0", "repeated", "messages", 0, 0};
    for (size_t i = 0; i < result->stream_count; i++) {
        const struct failover_stream *stream = &result->streams[i];
        gap->value = stream->gap_ns > gap->value ? stream->gap_ns : gap->value;
        limits[1].value += !stream->back;
        limits[2].value += stream->misrouted;
        limits[3].value += stream->repeated;
    }
}

/* What an early end has not seen proves nothing. */
static const char *limit_verdict(const struct failover_result *result, const struct limit *limit)
{
    if (result->fault_ended && limit->value > limit->limit) {
        return cli_result_word(EXIT_CHECK_FAILED);
    }
    return cli_result_word(result->run_exit != 0 ? EXIT_NO_EVIDENCE : EXIT_GOOD);
}

static void add_limits(cJSON *object, const struct failover_result *result)
{
    struct limit limits[LIMITS];
    cJSON *list = cJSON_AddArrayToObject(object, "thresholds");
    take_limits(result, limits);
    for (size_t i = 0; i < LIMITS; i++) {
        cJSON *threshold = cJSON_CreateObject();
        cJSON_AddStringToObject(threshold, "threshold", limits[i].text);
        cJSON_AddStringToObject(threshold, "metric", limits[i].metric);
        cJSON_AddStringToObject(threshold, "unit", limits[i].unit);
        cJSON_AddNumberToObject(threshold, "value", (double)limits[i].value);
        cJSON_AddNumberToObject(threshold, "limit", (double)limits[i].limit);
        cJSON_AddStringToObject(threshold, "verdict", limit_verdict(result, &limits[i]));
        cJSON_AddItemToArray(list, threshold);
    }
}

void failover_print_json(struct cJSON *object, const void *printed)
{
    const struct failover_result *result = printed;
    role_service_add_json(object, result->service);
    cJSON_AddStringToObject(object, "fault", result->fault);
    cJSON_AddItemToObject(object, "fault_exit_code", result->fault_ended
                                                         ? cJSON_CreateNumber(result->fault_exit)
                                                         : cJSON_CreateNull());
    cJSON_AddNumberToObject(object, "fault_ns", (double)result->fault_ns);
    cJSON_AddNumberToObject(object, "max_gap_ns", (double)result->max_gap_ns);
    cJSON_AddNumberToObject(object, "seed", (double)result->seed);
    cJSON_AddNumberToObject(object, "interrupted", (double)failover_interrupted(result));
    add_limits(object, result);
    cJSON *streams = cJSON_AddArrayToObject(object, "streams");
    for (size_t i = 0; i < result->stream_count; i++) {
        cJSON_AddItemToArray(streams, stream_object(result, &result->streams[i]));
    }
}

/* ---- Markdown -------------------------------------------------------------------------------- */

static void put_limits(FILE *out, const struct failover_result *result)
{
    static const char *const columns[] = {"Verdict", "Threshold", "Value", "Limit", NULL};
    struct limit limits[LIMITS];
    take_limits(result, limits);
    cli_markdown_table(out, "Thresholds", columns);
    for (size_t i = 0; i < LIMITS; i++) {
        char value[DURATION_BYTES];
        char limit[DURATION_BYTES];
        if (i == 0) {
            text_format_duration(value, sizeof(value), limits[i].value);
            text_format_duration(limit, sizeof(limit), limits[i].limit);
        } else {
            snprintf(value, sizeof(value), "%" PRIu64, limits[i].value);
            snprintf(limit, sizeof(limit), "%" PRIu64, limits[i].limit);
        }
        const char *const cells[] = {limit_verdict(result, &limits[i]), limits[i].metric, value,
                                     limit, NULL};
        cli_markdown_row(out, cells);
    }
}

static void put_stream(FILE *out, const struct failover_result *result,
                       const struct failover_stream *stream)
{
    char gap[DURATION_BYTES];
    char lost[64];
    text_format_duration(gap, sizeof(gap), stream->gap_ns);
    snprintf(lost, sizeof(lost), "%" PRIu64 " of %" PRIu64, stream->lost, stream->sent);
    const char *const cells[] = {failover_stream_result(result, stream),
                                 stream->agent_id,
                                 stream->version,
                                 gap,
                                 stream->before,
                                 stream->back ? stream->after : "not back",
                                 lost,
                                 stream->cause[0] != '\0' ? stream->cause : "silence",
                                 NULL};
    cli_markdown_row(out, cells);
}

void failover_print_markdown(FILE *out, const void *printed)
{
    static const char *const columns[] = {"Result", "Agent", "Version", "Silent for", "Before",
                                          "After",  "Lost",  "Saw",     NULL};
    const struct failover_result *result = printed;
    size_t left_out = 0;
    fputs("\nFault: ", out);
    cli_markdown_text(out, result->fault);
    fputc('\n', out);
    put_limits(out, result);
    cli_markdown_table(out, "Streams that were interrupted, or failed", columns);
    for (size_t i = 0, shown = 0; i < result->stream_count; i++) {
        const struct failover_stream *stream = &result->streams[i];
        bool tell = failover_is_interrupted(result, stream) || !failover_is_good(result, stream);
        if (tell && shown < STREAMS_SHOWN) {
            put_stream(out, result, stream);
            shown++;
        } else {
            left_out++;
        }
    }
    fprintf(out, "\n%zu of %zu streams are not in this table.\n", left_out, result->stream_count);
}

/* ---- JUnit ----------------------------------------------------------------------------------- */

static const char *problem_of(const struct failover_result *result,
                              const struct failover_stream *stream)
{
    if (stream->misrouted > 0) {
        return "misrouted";
    }
    if (!stream->back) {
        return "not_back";
    }
    if (stream->end == FAILOVER_END_BAD) {
        return "end";
    }
    return stream->gap_ns > result->max_gap_ns ? "gap" : "repeated";
}

/* An early end leaves those without a verdict that had none. */
static bool is_cut_short(const struct failover_result *result,
                         const struct failover_stream *stream)
{
    return result->run_exit != 0 &&
           (!result->fault_ended || failover_is_good(result, stream));
}

static void put_case(FILE *out, const struct cli_junit_suite *suite,
                     const struct failover_result *result, const struct failover_stream *stream)
{
    char gap[DURATION_BYTES];
    char text[2 * FAILOVER_CAUSE_BYTES + 4 * FAILOVER_NAME_BYTES];
    char name[2 * FAILOVER_NAME_BYTES];
    snprintf(name, sizeof(name), "%s %s", stream->agent_id, stream->version);
    snprintf(text, sizeof(text),
             "silent for %s, %s -> %s, %" PRIu64 " of %" PRIu64 " messages lost, %" PRIu64
             " misrouted, %" PRIu64 " answered twice; saw: %s%s%s",
             text_format_duration(gap, sizeof(gap), stream->gap_ns), stream->before,
             stream->back ? stream->after : "not back", stream->lost, stream->sent,
             stream->misrouted, stream->repeated,
             stream->cause[0] != '\0' ? stream->cause : "silence",
             stream->end == FAILOVER_END_BAD ? "; ended at last with " : "", stream->end_cause);
    cli_junit_case_begin(out, suite, name);
    if (is_cut_short(result, stream)) {
        cli_junit_problem(out, CLI_JUNIT_ERROR, failover_stream_result(result, stream),
                          "the test ended before it was over");
    } else if (!failover_is_good(result, stream)) {
        cli_junit_problem(out, CLI_JUNIT_FAILURE, problem_of(result, stream), text);
    } else if (failover_is_unchecked(stream)) {
        cli_junit_problem(out, CLI_JUNIT_ERROR, "not_checked", failover_unchecked_why(stream));
    } else {
        cli_junit_output(out, text);
    }
    cli_junit_case_end(out);
}

void failover_print_junit(FILE *out, const void *printed)
{
    const struct failover_result *result = printed;
    bool broken = !result->fault_ended || result->fault_exit != 0;
    struct cli_junit_suite suite = {
        .command = "failover-test",
        .target = result->target,
        .tests = result->stream_count + 1,
        .errors = broken,
        .duration_ns = result->fault_ns,
    };
    for (size_t i = 0; i < result->stream_count; i++) {
        const struct failover_stream *stream = &result->streams[i];
        bool good = failover_is_good(result, stream);
        bool cut_short = is_cut_short(result, stream);
        suite.failures += !good && !cut_short;
        suite.errors += cut_short || (good && failover_is_unchecked(stream));
    }
    cli_junit_begin(out, &suite);
    cli_junit_case_begin(out, &suite, "fault");
    if (broken) {
        cli_junit_problem(out, CLI_JUNIT_ERROR, "fault",
                          result->fault_ended ? "the command of the fault failed"
                                              : "the command of the fault did not run to its end");
    }
    cli_junit_output(out, result->fault);
    cli_junit_case_end(out);
    for (size_t i = 0; i < result->stream_count; i++) {
        put_case(out, &suite, result, &result->streams[i]);
    }
    cli_junit_end(out);
}
