/* The result for people. */
#include "base/histogram.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/exit.h"
#include "cli/terminal.h"
#include "failover/judge.h"
#include "failover/print.h"
#include "failover/print_pods.h"
#include "role/service.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- streams --------------------------------------------------------------------------------- */

static const char *duration(char out[static TEXT_DURATION_BYTES], uint64_t ns)
{
    return text_format_duration(out, TEXT_DURATION_BYTES, ns);
}

static void print_stream(FILE *out, const struct failover_result *result,
                         const struct failover_stream *stream)
{
    char gap[TEXT_DURATION_BYTES];
    enum cli_mark mark = failover_is_good(result, stream)        ? CLI_MARK_GOOD
                         : failover_is_undecided(result, stream) ? CLI_MARK_WARN
                                                                 : CLI_MARK_BAD;
    fprintf(out, "%s %s %s: ", cli_mark(mark), stream->agent_id, stream->version);
    if (stream->back) {
        fprintf(out, "silent for %s, %s %s %s", duration(gap, stream->gap_ns), stream->before,
                cli_mark(CLI_MARK_ARROW), stream->after);
    } else {
        fprintf(out, "not back, last answered by %s", stream->before);
    }
    fprintf(out, ", %" PRIu64 " of %" PRIu64 " messages lost", stream->lost, stream->sent);
    if (stream->misrouted > 0) {
        fprintf(out, ", %" PRIu64 " misrouted", stream->misrouted);
    }
    if (stream->repeated > 0) {
        fprintf(out, ", %" PRIu64 " answered twice", stream->repeated);
    }
    if (stream->disordered > 0) {
        fprintf(out, ", %" PRIu64 " answered out of order", stream->disordered);
    }
    if (stream->moved > 0) {
        fprintf(out, ", %" PRIu64 " answered by another pod than before", stream->moved);
    }
    if (stream->end == FAILOVER_END_BAD) {
        fprintf(out, ", ended at last with %s", stream->end_cause);
    }
    char saw[FAILOVER_SAW_BYTES];
    failover_saw(result, stream, saw);
    fprintf(out, "; saw: %s\n", cli_readable(saw));
}

static void print_gaps(FILE *out, const struct failover_result *result)
{
    static const struct {
        const char *name;
        double fraction;
    } shown[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"max", 1}};
    struct histogram *gaps = mem_new(struct histogram);
    for (size_t i = 0; i < result->stream_count; i++) {
        if (failover_is_interrupted(result, &result->streams[i])) {
            histogram_add(gaps, result->streams[i].gap_ns);
        }
    }
    for (size_t i = 0; gaps->count > 0 && i < ARRAY_SIZE(shown); i++) {
        char text[TEXT_DURATION_BYTES];
        fprintf(out, "%s%s %s", i == 0 ? "Gap of the interrupted streams: " : "  ", shown[i].name,
                duration(text, histogram_quantile(gaps, shown[i].fraction)));
    }
    fputs(gaps->count > 0 ? "\n" : "", out);
    free(gaps);
}

static void put_visible(FILE *out, const char *text)
{
    size_t taken;
    for (size_t len = strlen(text); len > 0; text += taken, len -= taken) {
        uint32_t code_point;
        taken = text_next_visible(text, len, &code_point);
        fwrite(code_point == '?' ? "?" : text, 1, code_point == '?' ? 1 : taken, out);
    }
}

/* Whether no stream before it has its version; `unchecked`: none that was not checked. */
static bool is_first_of_version(const struct failover_result *result, size_t stream, bool unchecked)
{
    for (size_t i = 0; i < stream; i++) {
        if ((!unchecked || failover_is_unchecked(&result->streams[i])) &&
            strcmp(result->streams[i].version, result->streams[stream].version) == 0) {
            return false;
        }
    }
    return true;
}

static void print_unchecked(FILE *out, const struct failover_result *result)
{
    for (size_t i = 0; i < result->stream_count; i++) {
        const struct failover_stream *stream = &result->streams[i];
        if (failover_is_unchecked(stream) && is_first_of_version(result, i, true)) {
            fprintf(out, "%s Which server answers %s was not checked: %s\n",
                    cli_mark(CLI_MARK_WARN), stream->version, failover_unchecked_why(stream));
        }
    }
}

/* ---- versions -------------------------------------------------------------------------------- */

static bool is_version_interrupted(const struct failover_result *result, const char *version)
{
    for (size_t i = 0; i < result->stream_count; i++) {
        if (strcmp(result->streams[i].version, version) == 0 &&
            failover_is_interrupted(result, &result->streams[i])) {
            return true;
        }
    }
    return false;
}

/* Which versions the fault met, and which it did not. */
static void print_versions(FILE *out, const struct failover_result *result, bool interrupted)
{
    size_t count = 0;
    for (size_t i = 0; i < result->stream_count; i++) {
        const char *version = result->streams[i].version;
        if (is_first_of_version(result, i, false) &&
            is_version_interrupted(result, version) == interrupted) {
            fprintf(out, "%s%s",
                    count > 0     ? ", "
                    : interrupted ? "Interrupted versions: "
                                  : "Never interrupted: ",
                    version);
            count++;
        }
    }
    fputs(count > 0 ? "\n" : "", out);
}

/* Versions that share a backend with one that was met, or that had to be met. */
static void print_missed(FILE *out, const struct failover_result *result)
{
    const struct failover_mets *mets = &result->found.mets;
    for (size_t i = 0; i < mets->count && result->fault_ended; i++) {
        const struct failover_met *met = &mets->all[i];
        if (met->streams == 0) {
            fprintf(out,
                    "%s %s has no stream, so nothing of it was checked; --agents %zu or more\n",
                    cli_mark(CLI_MARK_WARN), met->version, result->version_count);
        } else if (met->meeting == FAILOVER_MISSED) {
            fprintf(out,
                    "%s The fault did not meet %s: it interrupted %zu of the %zu streams of server "
                    "%s, and none of its %zu; how they come back was not checked\n",
                    cli_mark(CLI_MARK_WARN), met->version, met->backend_interrupted,
                    met->backend_streams, met->backend, met->streams);
        }
    }
}

/* Where more than one version shares a backend, and it is not all on one pod. */
static void print_probability(FILE *out, const struct failover_result *result)
{
    const struct failover_mets *mets = &result->found.mets;
    if (mets->probability > 1 - 1e-12) {
        return;
    }
    fprintf(out,
            "The end of a pod meets each version of its backend with a probability of %s%.1f %%",
            mets->probability > 0.999 ? "more than " : "at least ",
            mets->probability > 0.999 ? 99.9 : 100 * mets->probability);
    if (mets->probability < 0.99 && mets->agents_for_99_percent > 0) {
        fprintf(out, " (99 %%: --agents %zu)", mets->agents_for_99_percent);
    }
    fputc('\n', out);
}

/* Limits that could not be judged. */
static void print_unjudged(FILE *out, const struct failover_result *result)
{
    struct failover_limit limits[FAILOVER_LIMITS_MAX];
    size_t count = failover_limits(result, limits);
    for (size_t i = 0; i < count && result->run_exit == 0; i++) {
        if (limits[i].why != NULL && failover_limit_exit(result, &limits[i]) == EXIT_NO_EVIDENCE) {
            fprintf(out, "%s Whether %s could not be judged: %s\n", cli_mark(CLI_MARK_WARN),
                    limits[i].text, limits[i].why);
        }
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* Servers that leave streams open. */
static void print_open(FILE *out, const struct failover_result *result)
{
    size_t count = 0;
    for (size_t i = 0; i < result->stream_count; i++) {
        count += result->streams[i].end == FAILOVER_END_OPEN;
    }
    if (count > 0) {
        fprintf(out,
                "%s %zu streams were not ended by their server after the client had; how they "
                "end was not checked\n",
                cli_mark(CLI_MARK_WARN), count);
    }
}

static void print_end(FILE *out, const struct failover_result *result)
{
    char text[FAILOVER_SUMMARY_BYTES];
    int code = failover_exit_code(result);
    fprintf(out, "%s %s\n",
            cli_mark(code == EXIT_GOOD                                 ? CLI_MARK_DONE
                     : code == EXIT_CHECK_FAILED || code == EXIT_USAGE ? CLI_MARK_BAD
                                                                       : CLI_MARK_WARN),
            failover_summary(result, text));
}

static void print_fault(FILE *out, const struct failover_result *result)
{
    char took[TEXT_DURATION_BYTES];
    char end[FAILOVER_COMMAND_END_BYTES];
    fputs("Fault: ", out);
    put_visible(out, result->fault);
    if (result->fault_ended) {
        fprintf(out, " (%s after %s)\n", failover_command_end(result, end),
                duration(took, result->fault_ns));
    } else {
        fputs(" (did not run to its end)\n", out);
    }
    if (result->command != result->fault) {
        fputs("It ran: ", out);
        put_visible(out, result->command);
        fputc('\n', out);
    }
}

void failover_print_text(FILE *out, const void *printed)
{
    const struct failover_result *result = printed;
    char summary[FAILOVER_SUMMARY_BYTES];
    if (failover_summary(result, summary) == NULL) {
        return; /* nothing was seen */
    }
    print_fault(out, result);
    if (result->service != NULL) {
        fprintf(out, "Streams of %s (%s)\n", result->service->path,
                role_call_choices[result->service->call]);
    }
    for (size_t i = 0; i < result->stream_count && result->fault_ended; i++) {
        if (failover_is_interrupted(result, &result->streams[i]) ||
            !failover_is_good(result, &result->streams[i])) {
            print_stream(out, result, &result->streams[i]);
        }
    }
    print_gaps(out, result);
    fprintf(out,
            "%zu of %zu streams were interrupted (versions in random order, --seed %" PRIu64 ")\n",
            failover_interrupted(result), result->stream_count, result->seed);
    if (failover_interrupted(result) > 0) {
        print_versions(out, result, true);
        print_versions(out, result, false);
    }
    print_probability(out, result);
    failover_print_pods(out, result);
    print_open(out, result);
    print_unchecked(out, result);
    print_missed(out, result);
    print_unjudged(out, result);
    print_end(out, result);
}
