/* The result for machines: JSON, and JUnit XML. */
#include "base/text.h"
#include "cli/exit.h"
#include "cli/junit.h"
#include "failover/result.h"

#include <cJSON.h>
#include <inttypes.h>

#define DURATION_BYTES 24

static cJSON *stream_object(const struct failover_stream *stream)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "agent_id", stream->agent_id);
    cJSON_AddStringToObject(object, "agent_version", stream->version);
    cJSON_AddBoolToObject(object, "version_checked", !failover_is_unchecked(stream));
    cJSON_AddStringToObject(object, "before", stream->before);
    cJSON_AddStringToObject(object, "after", stream->after);
    cJSON_AddStringToObject(object, "cause", stream->cause);
    cJSON_AddBoolToObject(object, "back", stream->back);
    cJSON_AddNumberToObject(object, "gap_ns", (double)stream->gap_ns);
    cJSON_AddNumberToObject(object, "sent", (double)stream->sent);
    cJSON_AddNumberToObject(object, "lost", (double)stream->lost);
    cJSON_AddNumberToObject(object, "repeated", (double)stream->repeated);
    cJSON_AddNumberToObject(object, "misrouted", (double)stream->misrouted);
    return object;
}

void failover_print_json(FILE *out, const struct failover_result *result)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "command", "failover-test");
    cJSON_AddStringToObject(root, "target", result->target);
    cJSON_AddStringToObject(root, "fault", result->fault);
    cJSON_AddNumberToObject(root, "fault_exit_code", result->fault_exit);
    cJSON_AddNumberToObject(root, "fault_ns", (double)result->fault_ns);
    cJSON_AddNumberToObject(root, "max_gap_ns", (double)result->max_gap_ns);
    cJSON_AddNumberToObject(root, "seed", (double)result->seed);
    cJSON_AddNumberToObject(root, "interrupted", (double)failover_interrupted(result));
    cJSON_AddNumberToObject(root, "exit_code", failover_judge(result));
    cJSON *streams = cJSON_AddArrayToObject(root, "streams");
    for (size_t i = 0; i < result->stream_count; i++) {
        cJSON_AddItemToArray(streams, stream_object(&result->streams[i]));
    }
    char *text = cJSON_Print(root);
    fprintf(out, "%s\n", text);
    cJSON_free(text);
    cJSON_Delete(root);
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
    return stream->gap_ns > result->max_gap_ns ? "gap" : "repeated";
}

static void put_case(FILE *out, const struct cli_junit_suite *suite,
                     const struct failover_result *result, const struct failover_stream *stream)
{
    char gap[DURATION_BYTES];
    char text[FAILOVER_CAUSE_BYTES + 4 * FAILOVER_NAME_BYTES];
    char name[2 * FAILOVER_NAME_BYTES];
    snprintf(name, sizeof(name), "%s %s", stream->agent_id, stream->version);
    snprintf(text, sizeof(text),
             "silent for %s, %s -> %s, %" PRIu64 " of %" PRIu64 " messages lost, %" PRIu64
             " misrouted, %" PRIu64 " answered twice; saw: %s",
             text_format_duration(gap, sizeof(gap), stream->gap_ns), stream->before,
             stream->back ? stream->after : "not back", stream->lost, stream->sent,
             stream->misrouted, stream->repeated,
             stream->cause[0] != '\0' ? stream->cause : "silence");
    cli_junit_case_begin(out, suite, name);
    if (!failover_is_good(result, stream)) {
        cli_junit_problem(out, CLI_JUNIT_FAILURE, problem_of(result, stream), text);
    } else if (failover_is_unchecked(stream)) {
        cli_junit_problem(out, CLI_JUNIT_ERROR, "not_checked", stream->expect->reason);
    } else {
        cli_junit_output(out, text);
    }
    cli_junit_case_end(out);
}

void failover_print_junit(FILE *out, const void *printed)
{
    const struct failover_result *result = printed;
    bool broken = result->fault_exit != 0;
    struct cli_junit_suite suite = {
        .command = "failover-test",
        .target = result->target,
        .tests = result->stream_count + 1,
        .errors = broken,
        .duration_ns = result->fault_ns,
    };
    for (size_t i = 0; i < result->stream_count; i++) {
        bool good = failover_is_good(result, &result->streams[i]);
        suite.failures += !good;
        suite.errors += good && failover_is_unchecked(&result->streams[i]);
    }
    cli_junit_begin(out, &suite);
    cli_junit_case_begin(out, &suite, "fault");
    if (broken) {
        cli_junit_problem(out, CLI_JUNIT_ERROR, "fault", "the command of the fault failed");
    }
    cli_junit_output(out, result->fault);
    cli_junit_case_end(out);
    for (size_t i = 0; i < result->stream_count; i++) {
        put_case(out, &suite, result, &result->streams[i]);
    }
    cli_junit_end(out);
}
