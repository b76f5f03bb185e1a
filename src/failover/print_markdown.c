/* The result for the pages of CI jobs. */
#include "base/text.h"
#include "cli/exit.h"
#include "cli/invocation.h"
#include "cli/markdown.h"
#include "failover/judge.h"
#include "failover/print.h"

#include <inttypes.h>

/* A job page has room for so much. */
#define STREAMS_SHOWN 100
#define PODS_SHOWN    100

static void put_limits(FILE *out, const struct failover_result *result)
{
    static const char *const columns[] = {"Verdict", "Threshold", "Value", "Limit", NULL};
    struct failover_limit limits[FAILOVER_LIMITS_MAX];
    size_t count = failover_limits(result, limits);
    cli_markdown_table(out, "Thresholds", columns);
    for (size_t i = 0; i < count; i++) {
        char value[FAILOVER_LIMIT_BYTES];
        char limit[FAILOVER_LIMIT_BYTES];
        const char *const cells[] = {cli_result_word(failover_limit_exit(result, &limits[i])),
                                     limits[i].metric,
                                     failover_limit_text(&limits[i], limits[i].value, value),
                                     failover_limit_text(&limits[i], limits[i].limit, limit), NULL};
        cli_markdown_row(out, cells);
    }
}

static void put_pods(FILE *out, const struct failover_result *result)
{
    static const char *const columns[] = {"Server",        "Pod",       "Streams before",
                                          "Streams after", "Roll call", NULL};
    const struct failover_spreads *spreads = &result->found.spreads;
    size_t shown = 0;
    cli_markdown_table(out, "Where the streams are", columns);
    for (size_t i = 0; i < spreads->count; i++) {
        const struct failover_spread *spread = &spreads->all[i];
        for (size_t j = 0; j < spread->pod_count && shown < PODS_SHOWN; j++, shown++) {
            const struct failover_pod *pod = &result->history.pods[spread->pods[j].pod];
            char numbers[3][TEXT_DURATION_BYTES];
            snprintf(numbers[0], TEXT_DURATION_BYTES, "%" PRIu32, spread->pods[j].before);
            snprintf(numbers[1], TEXT_DURATION_BYTES, "%" PRIu32 "%s", spread->pods[j].after,
                     spread->pods[j].silent > 0 ? " (silent)"
                     : spread->pods[j].there    ? ""
                                                : " (gone)");
            snprintf(numbers[2], TEXT_DURATION_BYTES, "%" PRIu32, pod->called);
            const char *const cells[] = {spread->backend,
                                         pod->name,
                                         numbers[0],
                                         numbers[1],
                                         result->roll_call.made ? numbers[2] : "not made",
                                         NULL};
            cli_markdown_row(out, cells);
        }
    }
}

static void put_holes(FILE *out, const struct failover_result *result)
{
    static const char *const columns[] = {
        "Black hole", "Silent open streams", "For up to", "Silent still", "Answered again", "Ended",
        NULL};
    const struct failover_holes *holes = &result->found.holes;
    if (holes->count == 0) {
        return;
    }
    cli_markdown_table(out, "Black holes", columns);
    for (size_t i = 0; i < holes->count; i++) {
        const struct failover_hole *hole = &holes->all[i];
        char numbers[4][TEXT_DURATION_BYTES];
        char longest[TEXT_DURATION_BYTES];
        snprintf(numbers[0], TEXT_DURATION_BYTES, "%zu", hole->streams);
        snprintf(numbers[1], TEXT_DURATION_BYTES, "%zu", hole->ends[FAILOVER_HOLE_OPEN]);
        snprintf(numbers[2], TEXT_DURATION_BYTES, "%zu", hole->ends[FAILOVER_HOLE_ANSWERED]);
        snprintf(numbers[3], TEXT_DURATION_BYTES, "%zu", hole->ends[FAILOVER_HOLE_ENDED]);
        const char *const cells[] = {
            hole->pod[0] != '\0' ? hole->pod : "an unknown pod",
            numbers[0],
            text_format_duration(longest, sizeof(longest), hole->longest_ns),
            numbers[1],
            numbers[2],
            numbers[3],
            NULL};
        cli_markdown_row(out, cells);
    }
}

/* What the fault did not meet. */
static void put_missed(FILE *out, const struct failover_result *result)
{
    const struct failover_mets *mets = &result->found.mets;
    for (size_t i = 0; i < mets->count && result->fault_ended; i++) {
        if (mets->all[i].meeting == FAILOVER_MISSED) {
            fputs("\nThe fault did not meet ", out);
            cli_markdown_text(out, mets->all[i].version);
            fputs(": how its streams come back was not checked.\n", out);
        }
    }
}

static void put_stream(FILE *out, const struct failover_result *result,
                       const struct failover_stream *stream)
{
    char gap[TEXT_DURATION_BYTES];
    char lost[64];
    char saw[FAILOVER_SAW_BYTES];
    text_format_duration(gap, sizeof(gap), stream->gap_ns);
    snprintf(lost, sizeof(lost), "%" PRIu64 " of %" PRIu64, stream->lost, stream->sent);
    const char *const cells[] = {failover_stream_result(result, stream),
                                 stream->agent_id,
                                 stream->version,
                                 gap,
                                 stream->before,
                                 stream->back ? stream->after : "not back",
                                 lost,
                                 failover_saw(result, stream, saw),
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
    if (result->command != result->fault) {
        fputs("\nIt ran: ", out);
        cli_markdown_text(out, result->command);
        fputc('\n', out);
    }
    put_missed(out, result);
    put_limits(out, result);
    put_pods(out, result);
    put_holes(out, result);
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
