#include "failover/print_pods.h"

#include "base/text.h"
#include "cli/exit.h"
#include "cli/terminal.h"
#include "failover/judge.h"

#include <inttypes.h>

/* A line has room for so many pods. */
#define PODS_SHOWN 12

static void print_names(FILE *out, const struct failover_result *result,
                        const struct failover_spread *spread)
{
    for (size_t i = 0; i < spread->pod_count && i < PODS_SHOWN; i++) {
        const struct failover_spread_pod *pod = &spread->pods[i];
        char name[FAILOVER_NAME_BYTES];
        snprintf(name, sizeof(name), "%s", result->history.pods[pod->pod].name);
        fprintf(out, "%s %s %" PRIu32 " %s %" PRIu32 "%s", i > 0 ? "," : "", cli_readable(name),
                pod->before, cli_mark(CLI_MARK_ARROW), pod->after,
                pod->silent > 0 ? " (silent)"
                : pod->there    ? ""
                                : " (gone)");
    }
    if (spread->pod_count > PODS_SHOWN) {
        fprintf(out, ", and %zu more", spread->pod_count - PODS_SHOWN);
    }
}

static void print_even(FILE *out, const struct failover_result *result,
                       const struct failover_spread *spread)
{
    char after[TEXT_DURATION_BYTES];
    fprintf(out, "; %.3g%% from even %s %.3g%%", spread->before_percent, cli_mark(CLI_MARK_ARROW),
            spread->after_percent);
    if (spread->even_after_ns == FAILOVER_NEVER) {
        fprintf(out, ", not within %g%% by the end", result->even_percent);
    } else if (spread->even_after_ns == 0) {
        fprintf(out, ", within %g%% all the time", result->even_percent);
    } else {
        fprintf(out, ", within %g%% for good %s after the fault began", result->even_percent,
                text_format_duration(after, sizeof(after), spread->even_after_ns));
    }
}

static bool is_judged(const struct failover_result *result)
{
    return result->max_spread_percent >= 0;
}

/* Of a backend with one pod there is nothing to say, where nobody asks. */
static void print_spread(FILE *out, const struct failover_result *result,
                         const struct failover_spread *spread)
{
    char backend[FAILOVER_NAME_BYTES];
    if (spread->pod_count < 2 && !is_judged(result)) {
        return;
    }
    bool good = spread->unknown == NULL && spread->after_percent <= result->even_percent;
    snprintf(backend, sizeof(backend), "%s", spread->backend);
    fprintf(out, "%s%sSpread of %zu streams over the pods of server %s:",
            !is_judged(result) ? ""
                               : cli_mark(good                      ? CLI_MARK_GOOD
                                          : spread->unknown != NULL ? CLI_MARK_WARN
                                                                    : CLI_MARK_BAD),
            is_judged(result) ? " " : "", spread->streams, cli_readable(backend));
    print_names(out, result, spread);
    if (spread->unknown != NULL) {
        fprintf(out, "; not checked: %s\n", spread->unknown);
        return;
    }
    print_even(out, result, spread);
    fputc('\n', out);
}

static void print_roll_call(FILE *out, const struct failover_result *result)
{
    const struct failover_roll_call *call = &result->roll_call;
    char cause[FAILOVER_CAUSE_BYTES];
    if (!call->wanted || result->history.fault_ns == 0) {
        return;
    }
    if (!call->made) {
        fprintf(out, "%s The roll call was not made: pods that hold no stream are not known\n",
                cli_mark(CLI_MARK_WARN));
        return;
    }
    bool bad = call->misrouted > 0;
    snprintf(cause, sizeof(cause), "%s", call->cause);
    fprintf(out, "%s Roll call: %zu of %zu new streams were answered",
            cli_mark(bad                             ? CLI_MARK_BAD
                     : call->answered == call->calls ? CLI_MARK_GOOD
                                                     : CLI_MARK_WARN),
            call->answered, call->calls);
    if (bad) {
        fprintf(out, ", %zu by a server of a wrong version", call->misrouted);
    }
    if (call->answered < call->calls) {
        fprintf(out, "; pods may be missing; saw: %s", cli_readable(cause));
    }
    fputc('\n', out);
}

static void print_hole(FILE *out, const struct failover_hole *hole)
{
    char name[FAILOVER_NAME_BYTES];
    char longest[TEXT_DURATION_BYTES];
    snprintf(name, sizeof(name), "%s", hole->pod[0] != '\0' ? hole->pod : "an unknown pod");
    fprintf(out,
            "%s Black hole: %s answered nothing on %zu open streams for up to %s; %zu are silent "
            "still, %zu were answered again, %zu ended\n",
            cli_mark(CLI_MARK_WARN), cli_readable(name), hole->streams,
            text_format_duration(longest, sizeof(longest), hole->longest_ns),
            hole->ends[FAILOVER_HOLE_OPEN], hole->ends[FAILOVER_HOLE_ANSWERED],
            hole->ends[FAILOVER_HOLE_ENDED]);
}

static void print_holes(FILE *out, const struct failover_result *result)
{
    const struct failover_holes *holes = &result->found.holes;
    for (size_t i = 0; i < holes->count; i++) {
        print_hole(out, &holes->all[i]);
    }
    if (holes->count > 0) {
        fputs(failover_is_all_silent(result)
                  ? "  every stream of every pod fell silent: the target itself or the way to it "
                    "is stopped, rather than a pod\n"
                  : "  the end of a pod ends its streams: it is stopped, stalled or cut off, or "
                    "the target has not noticed\n",
              out);
    }
}

static void print_herd(FILE *out, const struct failover_result *result)
{
    const struct failover_herd *herd = &result->found.herd;
    char at[TEXT_DURATION_BYTES];
    struct failover_limit limits[FAILOVER_LIMITS_MAX];
    size_t count = failover_limits(result, limits);
    if (herd->count == 0) {
        return;
    }
    if (result->max_herd >= 0) {
        int code = failover_limit_exit(result, &limits[count - 1]); /* the last one is its */
        fprintf(out, "%s ",
                cli_mark(code == EXIT_GOOD           ? CLI_MARK_GOOD
                         : code == EXIT_CHECK_FAILED ? CLI_MARK_BAD
                                                     : CLI_MARK_WARN));
    }
    fprintf(out,
            "Reconnects: %" PRIu64 ", at most %" PRIu64 " within 100ms (%s after the fault began), "
            "%.3g times the mean over %.1fs\n",
            herd->count, herd->peak, text_format_duration(at, sizeof(at), herd->peak_ns),
            herd->ratio, (double)herd->bins * 0.1);
}

void failover_print_pods(FILE *out, const struct failover_result *result)
{
    print_holes(out, result);
    for (size_t i = 0; i < result->found.spreads.count; i++) {
        print_spread(out, result, &result->found.spreads.all[i]);
    }
    print_roll_call(out, result);
    print_herd(out, result);
}
