/* The result as JUnit XML: a case for the fault, for each stream, and for each limit and version
 * that was asked for or missed. */
#include "base/text.h"
#include "cli/exit.h"
#include "cli/junit.h"
#include "failover/judge.h"
#include "failover/print.h"

#include <inttypes.h>

/* Those of streams are told by the streams. */
#define STREAM_LIMITS 4

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
    if (stream->gap_ns > result->max_gap_ns) {
        return "gap";
    }
    return stream->repeated > 0 ? "repeated" : stream->disordered > 0 ? "disordered" : "moved";
}

static void put_case(FILE *out, const struct cli_junit_suite *suite,
                     const struct failover_result *result, const struct failover_stream *stream)
{
    char gap[TEXT_DURATION_BYTES];
    char saw[FAILOVER_SAW_BYTES];
    char text[FAILOVER_SAW_BYTES + FAILOVER_CAUSE_BYTES + 4 * FAILOVER_NAME_BYTES];
    char name[2 * FAILOVER_NAME_BYTES];
    snprintf(name, sizeof(name), "%s %s", stream->agent_id, stream->version);
    snprintf(text, sizeof(text),
             "silent for %s, %s -> %s, %" PRIu64 " of %" PRIu64 " messages lost, %" PRIu64
             " misrouted, %" PRIu64 " answered twice, %" PRIu64 " out of order, %" PRIu64
             " by another pod; saw: %s%s%s",
             text_format_duration(gap, sizeof(gap), stream->gap_ns), stream->before,
             stream->back ? stream->after : "not back", stream->lost, stream->sent,
             stream->misrouted, stream->repeated, stream->disordered, stream->moved,
             failover_saw(result, stream, saw),
             stream->end == FAILOVER_END_BAD ? "; ended at last with " : "", stream->end_cause);
    cli_junit_case_begin(out, suite, name);
    if (failover_is_undecided(result, stream)) {
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

/* ---- limits and versions --------------------------------------------------------------------- */

static void put_limit(FILE *out, const struct cli_junit_suite *suite,
                      const struct failover_result *result, const struct failover_limit *limit)
{
    char text[128];
    char value[FAILOVER_LIMIT_BYTES];
    int code = failover_limit_exit(result, limit);
    snprintf(text, sizeof(text), "%s is %s", limit->metric,
             failover_limit_text(limit, limit->value, value));
    cli_junit_case_begin(out, suite, limit->text);
    if (code == EXIT_CHECK_FAILED) {
        cli_junit_problem(out, CLI_JUNIT_FAILURE, limit->metric, text);
    } else if (code == EXIT_NO_EVIDENCE) {
        cli_junit_problem(out, CLI_JUNIT_ERROR, "not_checked",
                          limit->why != NULL ? limit->why : "the test ended before it was over");
    } else {
        cli_junit_output(out, text);
    }
    cli_junit_case_end(out);
}

static size_t count_missed(const struct failover_result *result)
{
    size_t missed = 0;
    for (size_t i = 0; i < result->found.mets.count; i++) {
        missed += result->found.mets.all[i].meeting == FAILOVER_MISSED;
    }
    return missed;
}

static void put_missed(FILE *out, const struct cli_junit_suite *suite,
                       const struct failover_result *result)
{
    for (size_t i = 0; i < result->found.mets.count; i++) {
        const struct failover_met *met = &result->found.mets.all[i];
        char name[2 * FAILOVER_NAME_BYTES];
        if (met->meeting == FAILOVER_MISSED) {
            snprintf(name, sizeof(name), "the fault meets %s", met->version);
            cli_junit_case_begin(out, suite, name);
            cli_junit_problem(out, CLI_JUNIT_ERROR, "not_checked",
                              "it interrupted none of its streams");
            cli_junit_case_end(out);
        }
    }
}

static void put_roll_call(FILE *out, const struct cli_junit_suite *suite,
                          const struct failover_roll_call *call)
{
    char text[128];
    snprintf(text, sizeof(text), "%zu of %zu new streams were answered, %zu by a wrong version",
             call->answered, call->calls, call->misrouted);
    cli_junit_case_begin(out, suite, "roll call");
    if (call->misrouted > 0) {
        cli_junit_problem(out, CLI_JUNIT_FAILURE, "misrouted", text);
    } else {
        cli_junit_output(out, text);
    }
    cli_junit_case_end(out);
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* The cases behind those of the fault and the streams. */
static void count_more(const struct failover_result *result, const struct failover_limit *limits,
                       size_t limit_count, struct cli_junit_suite *suite)
{
    size_t missed = count_missed(result);
    suite->tests += limit_count - STREAM_LIMITS + missed + result->roll_call.made;
    suite->errors += missed;
    suite->failures += result->roll_call.made && result->roll_call.misrouted > 0;
    for (size_t i = STREAM_LIMITS; i < limit_count; i++) {
        int code = failover_limit_exit(result, &limits[i]);
        suite->failures += code == EXIT_CHECK_FAILED;
        suite->errors += code == EXIT_NO_EVIDENCE;
    }
}

static void put_fault(FILE *out, const struct cli_junit_suite *suite,
                      const struct failover_result *result)
{
    char end[FAILOVER_COMMAND_END_BYTES];
    char text[FAILOVER_COMMAND_END_BYTES + 64];
    snprintf(text, sizeof(text), "the command of the fault failed with %s",
             failover_command_end(result, end));
    cli_junit_case_begin(out, suite, "fault");
    if (!result->fault_ended) {
        cli_junit_problem(out, CLI_JUNIT_ERROR, "fault",
                          "the command of the fault did not run to its end");
    } else if (result->fault_exit != 0) {
        cli_junit_problem(out, CLI_JUNIT_ERROR, "fault", text);
    }
    cli_junit_output(out, result->command);
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
    };
    for (size_t i = 0; i < result->stream_count; i++) {
        const struct failover_stream *stream = &result->streams[i];
        bool good = failover_is_good(result, stream);
        bool undecided = failover_is_undecided(result, stream);
        suite.failures += !good && !undecided;
        suite.errors += undecided || (good && failover_is_unchecked(stream));
    }
    struct failover_limit limits[FAILOVER_LIMITS_MAX];
    size_t limit_count = failover_limits(result, limits);
    count_more(result, limits, limit_count, &suite);
    cli_junit_begin(out, &suite);
    put_fault(out, &suite, result);
    for (size_t i = 0; i < result->stream_count; i++) {
        put_case(out, &suite, result, &result->streams[i]);
    }
    for (size_t i = STREAM_LIMITS; i < limit_count; i++) {
        put_limit(out, &suite, result, &limits[i]);
    }
    put_missed(out, &suite, result);
    if (result->roll_call.made) {
        put_roll_call(out, &suite, &result->roll_call);
    }
    cli_junit_end(out);
}
