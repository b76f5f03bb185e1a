#include "failover/judge.h"

#include "base/mem.h"
#include "base/text.h"
#include "cli/exit.h"
#include "cli/invocation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void failover_find(struct failover_result *result)
{
    failover_mets_find(result, &result->found.mets);
    failover_spreads_find(result, &result->found.spreads);
    failover_holes_find(result, &result->found.holes);
    failover_herd_find(&result->history, &result->found.herd);
}

void failover_result_deinit(struct failover_result *result)
{
    for (size_t i = 0; i < result->stream_count; i++) {
        failover_lanes_deinit(&result->streams[i].lanes);
    }
    free(result->streams);
    failover_history_deinit(&result->history);
    failover_mets_deinit(&result->found.mets);
    failover_spreads_deinit(&result->found.spreads);
    failover_holes_deinit(&result->found.holes);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void take_streams(const struct failover_result *result,
                         struct failover_limit limits[static FAILOVER_LIMITS_MAX])
{
    limits[0] = (struct failover_limit){"gap", "ns", "gap<=max-gap",
                                        .limit = (double)result->max_gap_ns, .known = true};
    limits[1] = (struct failover_limit){"not_back", "streams", "not_back<=0", .known = true};
    limits[2] = (struct failover_limit){"misrouted", "messages", "misrouted<=0", .known = true};
    limits[3] = (struct failover_limit){"repeated", "messages", "repeated<=0", .known = true};
    for (size_t i = 0; i < result->stream_count; i++) {
        const struct failover_stream *stream = &result->streams[i];
        double gap = (double)stream->gap_ns;
        limits[0].value = gap > limits[0].value ? gap : limits[0].value;
        limits[1].value += !stream->back;
        limits[1].known &= stream->back || !failover_is_undecided(result, stream);
        limits[2].value += (double)stream->misrouted;
        limits[3].value += (double)stream->repeated;
    }
}

/* A pod that the roll call could not see would make any spread look even. */
static struct failover_limit spread_limit(const struct failover_result *result)
{
    const struct failover_spreads *spreads = &result->found.spreads;
    const struct failover_roll_call *call = &result->roll_call;
    struct failover_limit limit = {"spread", "percent", .limit = result->max_spread_percent,
                                   .known = true};
    snprintf(limit.text, sizeof(limit.text), "spread<=%g%%", result->max_spread_percent);
    for (size_t i = 0; i < spreads->count; i++) {
        const struct failover_spread *spread = &spreads->all[i];
        if (spread->unknown != NULL) {
            limit.why = spread->unknown;
        } else if (spread->after_percent > limit.value) {
            limit.value = spread->after_percent;
        }
    }
    if (!call->made || call->answered < call->calls) {
        limit.why = "not every new stream of the roll call was answered, so pods may be missing";
    } else if (spreads->count == 0) {
        limit.why = "no stream was answered";
    }
    limit.known = limit.why == NULL;
    return limit;
}

static struct failover_limit herd_limit(const struct failover_result *result)
{
    const struct failover_herd *herd = &result->found.herd;
    struct failover_limit limit = {"herd", "ratio", .limit = result->max_herd, .value = herd->ratio,
                                   .known = true};
    snprintf(limit.text, sizeof(limit.text), "herd<=%g", result->max_herd);
    if (herd->ratio > result->max_herd && herd->chance > FAILOVER_HERD_CHANCE_MAX) {
        limit.known = false;
        limit.why = "so few streams came back that chance alone makes such a peak";
    }
    return limit;
}

size_t failover_limits(const struct failover_result *result,
                       struct failover_limit limits[static FAILOVER_LIMITS_MAX])
{
    size_t count = 4;
    take_streams(result, limits);
    if (result->max_spread_percent >= 0) {
        limits[count++] = spread_limit(result);
    }
    if (result->max_herd >= 0) {
        limits[count++] = herd_limit(result);
    }
    return count;
}

/* What an early end has not seen proves nothing. A herd of few proves nothing either, nor does a
 * stream that had no time to come back; a spread that is too large does not become smaller with
 * pods that were not seen. */
int failover_limit_exit(const struct failover_result *result, const struct failover_limit *limit)
{
    bool is_over = limit->value > limit->limit;
    if (result->fault_ended && is_over && (limit->known || strcmp(limit->metric, "spread") == 0)) {
        return EXIT_CHECK_FAILED;
    }
    return result->run_exit != 0 || !limit->known ? EXIT_NO_EVIDENCE : EXIT_GOOD;
}

const char *failover_limit_text(const struct failover_limit *limit, double value,
                                char out[static FAILOVER_LIMIT_BYTES])
{
    if (strcmp(limit->unit, "ns") == 0) {
        return text_format_duration(out, FAILOVER_LIMIT_BYTES, (uint64_t)value);
    }
    snprintf(out, FAILOVER_LIMIT_BYTES,
             strcmp(limit->unit, "percent") == 0 ? "%.3g%%"
             : strcmp(limit->unit, "ratio") == 0 ? "%.3g"
                                                 : "%.0f",
             value);
    return out;
}

/* ---- verdict --------------------------------------------------------------------------------- */

static int worse(int one, int other)
{
    if (one == EXIT_CHECK_FAILED || other == EXIT_CHECK_FAILED) {
        return EXIT_CHECK_FAILED;
    }
    return one == EXIT_GOOD ? other : one;
}

static int judge_roll_call(const struct failover_roll_call *call)
{
    if (call->misrouted > 0) {
        return EXIT_CHECK_FAILED;
    }
    bool complete = call->made && call->answered == call->calls;
    return call->wanted && !complete ? EXIT_NO_EVIDENCE : EXIT_GOOD;
}

static int judge(const struct failover_result *result)
{
    struct failover_limit limits[FAILOVER_LIMITS_MAX];
    int rv = failover_is_missed(&result->found.mets) ? EXIT_NO_EVIDENCE : EXIT_GOOD;
    if (result->fault_exit != 0) {
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < result->stream_count; i++) {
        const struct failover_stream *stream = &result->streams[i];
        rv = worse(rv, !failover_is_good(result, stream) ? EXIT_CHECK_FAILED
                       : failover_is_unchecked(stream)   ? EXIT_NO_EVIDENCE
                                                         : EXIT_GOOD);
    }
    size_t count = failover_limits(result, limits);
    for (size_t i = 0; i < count; i++) {
        rv = worse(rv, failover_limit_exit(result, &limits[i]));
    }
    return worse(rv, judge_roll_call(&result->roll_call));
}

int failover_exit_code(const struct failover_result *result)
{
    return result->run_exit != 0 ? result->run_exit : judge(result);
}

const char *failover_stream_result(const struct failover_result *result,
                                   const struct failover_stream *stream)
{
    if (result->run_exit == EXIT_NO_CONNECTION) {
        return cli_result_word(result->run_exit);
    }
    if (failover_is_undecided(result, stream)) {
        return cli_result_word(result->run_exit);
    }
    return cli_result_word(!failover_is_good(result, stream) ? EXIT_CHECK_FAILED
                           : failover_is_unchecked(stream)   ? EXIT_NO_EVIDENCE
                                                             : EXIT_GOOD);
}

const char *failover_command_end(const struct failover_result *result,
                                 char out[static FAILOVER_COMMAND_END_BYTES])
{
    int code = result->fault_exit;
    if (code > 128) {
        snprintf(out, FAILOVER_COMMAND_END_BYTES, "exit code %d (signal %d)", code, code - 128);
    } else {
        snprintf(out, FAILOVER_COMMAND_END_BYTES, "exit code %d%s", code,
                 code == 127   ? " (the shell did not find the program)"
                 : code == 126 ? " (the shell could not run the program)"
                               : "");
    }
    return out;
}

/* Of streams that are all back. */
static const char *unknown_summary(const struct failover_result *result)
{
    for (size_t i = 0; i < result->stream_count; i++) {
        if (failover_is_unchecked(&result->streams[i])) {
            return "Every stream is back, but not all could be checked";
        }
    }
    if (failover_is_missed(&result->found.mets)) {
        return "Every stream is back, but the fault did not meet every version";
    }
    return judge_roll_call(&result->roll_call) != EXIT_GOOD
               ? "Every stream is back, but not every new stream was answered"
               : "Every stream is back, but not every limit could be judged";
}

const char *failover_summary(const struct failover_result *result,
                             char out[static FAILOVER_SUMMARY_BYTES])
{
    char most[TEXT_DURATION_BYTES];
    char end[FAILOVER_COMMAND_END_BYTES];
    switch (failover_exit_code(result)) {
    case EXIT_GOOD:
        snprintf(out, FAILOVER_SUMMARY_BYTES,
                 "Every stream is back and rightly routed, none was silent for more than %s",
                 text_format_duration(most, sizeof(most), result->max_gap_ns));
        return out;
    case EXIT_CHECK_FAILED:
        return "Failover test failed";
    case EXIT_NO_EVIDENCE:
        return unknown_summary(result);
    case EXIT_NO_CONNECTION:
        return NULL;
    case EXIT_USAGE:
        if (!result->fault_ended) {
            return NULL;
        }
        snprintf(out, FAILOVER_SUMMARY_BYTES, "The command of the fault failed with %s",
                 failover_command_end(result, end));
        return out;
    default:
        return "Failover test interrupted";
    }
}
