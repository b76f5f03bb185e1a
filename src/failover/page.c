/* The result as a page. Times in it are microseconds from the fault, or from the begin where there
 * was none. */
#include "base/text.h"
#include "cli/exit.h"
#include "cli/invocation.h"
#include "failover/failover_page.h" /* written by inline.py */
#include "failover/judge.h"
#include "failover/print.h"
#include "role/service_json.h"

#include <cJSON.h>
#include <stdlib.h>

#define HEADLINE_BYTES 600
#define NOTE_BYTES     400
#define NS_PER_US      1000

/* ---- data ------------------------------------------------------------------------------------ */

static double us_from_fault(const struct failover_history *history, uint64_t at_ns)
{
    uint64_t zero_ns = history->fault_ns != 0 ? history->fault_ns : history->began_ns;
    return (double)((int64_t)(at_ns - zero_ns) / NS_PER_US);
}

/* Of somebody else, as people read it. */
static void add_name(cJSON *object, const char *name, const char *escaped)
{
    char shown[FAILOVER_CAUSE_BYTES];
    snprintf(shown, sizeof(shown), "%s", escaped);
    text_make_readable(shown);
    cJSON_AddStringToObject(object, name, shown);
}

/* For each lane four numbers: pod, begin, end, and 1: opened again, 2: wrong version. */
static cJSON *json_lanes(const struct failover_history *history, const struct failover_lanes *lanes)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < lanes->count; i++) {
        const struct failover_lane *lane = &lanes->all[i];
        cJSON_AddItemToArray(list, cJSON_CreateNumber(lane->pod));
        cJSON_AddItemToArray(list, cJSON_CreateNumber(us_from_fault(history, lane->from_ns)));
        cJSON_AddItemToArray(list, cJSON_CreateNumber(us_from_fault(history, lane->to_ns)));
        cJSON_AddItemToArray(list, cJSON_CreateNumber(lane->reopened + 2 * lane->wrong));
    }
    return list;
}

static cJSON *json_stream(const struct failover_result *result,
                          const struct failover_stream *stream)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "id", stream->agent_id);
    cJSON_AddStringToObject(object, "version", stream->version);
    add_name(object, "before", stream->before);
    add_name(object, "after", stream->after);
    char saw[FAILOVER_SAW_BYTES];
    failover_saw(result, stream, saw);
    text_make_readable(saw);
    cJSON_AddStringToObject(object, "saw", saw);
    cJSON_AddBoolToObject(object, "back", stream->back);
    cJSON_AddBoolToObject(object, "good", failover_is_good(result, stream));
    cJSON_AddBoolToObject(object, "undecided", failover_is_undecided(result, stream));
    cJSON_AddBoolToObject(object, "interrupted", failover_is_interrupted(result, stream));
    failover_add_counts(object, stream);
    cJSON_AddStringToObject(object, "unchecked",
                            failover_is_unchecked(stream) ? failover_unchecked_why(stream) : "");
    cJSON_AddBoolToObject(object, "cut", stream->lanes.cut);
    cJSON_AddItemToObject(object, "lanes", json_lanes(&result->history, &stream->lanes));
    return object;
}

static void add_bins(cJSON *root, const struct failover_history *history)
{
    cJSON_AddNumberToObject(root, "bin_us", (double)(FAILOVER_BIN_NS / NS_PER_US));
    cJSON *ended = cJSON_AddArrayToObject(root, "ended");
    cJSON *back = cJSON_AddArrayToObject(root, "back");
    for (size_t i = 0; i < history->bin_count; i++) {
        cJSON_AddItemToArray(ended, cJSON_CreateNumber(history->bins[i].ended));
        cJSON_AddItemToArray(back, cJSON_CreateNumber(history->bins[i].back));
    }
}

static cJSON *json_points(const struct failover_spread *spread)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < spread->point_count; i++) {
        const struct failover_spread_point *point = &spread->points[i];
        cJSON_AddItemToArray(list, cJSON_CreateNumber((double)(point->at_ns / NS_PER_US)));
        cJSON_AddItemToArray(list, cJSON_CreateNumber(point->percent));
    }
    return list;
}

static cJSON *json_pods(const struct failover_result *result, const struct failover_spread *spread)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < spread->pod_count; i++) {
        const struct failover_spread_pod *pod = &spread->pods[i];
        cJSON *object = cJSON_CreateObject();
        add_name(object, "name", result->history.pods[pod->pod].name);
        cJSON_AddNumberToObject(object, "before", pod->before);
        cJSON_AddNumberToObject(object, "after", pod->after);
        cJSON_AddNumberToObject(object, "called", result->history.pods[pod->pod].called);
        cJSON_AddStringToObject(object, "state",
                                pod->silent > 0 ? "silent"
                                : pod->there    ? ""
                                                : "gone");
        cJSON_AddItemToArray(list, object);
    }
    return list;
}

/* Points are pairs of a time and a percentage. */
static void add_spreads(cJSON *root, const struct failover_result *result)
{
    cJSON *spreads = cJSON_AddArrayToObject(root, "spreads");
    cJSON_AddNumberToObject(root, "even_percent", result->even_percent);
    cJSON_AddBoolToObject(root, "spread_judged", result->max_spread_percent >= 0);
    cJSON_AddBoolToObject(root, "roll_call_made", result->roll_call.made);
    for (size_t i = 0; i < result->found.spreads.count; i++) {
        const struct failover_spread *spread = &result->found.spreads.all[i];
        bool never = spread->even_after_ns == FAILOVER_NEVER;
        cJSON *object = cJSON_CreateObject();
        add_name(object, "backend", spread->backend);
        cJSON_AddNumberToObject(object, "streams", (double)spread->streams);
        cJSON_AddNumberToObject(object, "before", spread->before_percent);
        cJSON_AddNumberToObject(object, "after", spread->after_percent);
        cJSON_AddNumberToObject(object, "even_after_ns",
                                never ? -1 : (double)spread->even_after_ns);
        cJSON_AddStringToObject(object, "unknown", spread->unknown != NULL ? spread->unknown : "");
        cJSON_AddItemToObject(object, "pods", json_pods(result, spread));
        cJSON_AddItemToObject(object, "points", json_points(spread));
        cJSON_AddItemToArray(spreads, object);
    }
}

/* Thresholds beyond those of the streams, which have tiles. */
static void add_limits(cJSON *root, const struct failover_result *result)
{
    struct failover_limit limits[FAILOVER_LIMITS_MAX];
    size_t count = failover_limits(result, limits);
    cJSON *list = cJSON_AddArrayToObject(root, "limits");
    for (size_t i = 0; i < count; i++) {
        char value[FAILOVER_LIMIT_BYTES];
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "text", limits[i].text);
        cJSON_AddStringToObject(object, "metric", limits[i].metric);
        cJSON_AddStringToObject(object, "value",
                                failover_limit_text(&limits[i], limits[i].value, value));
        cJSON_AddStringToObject(object, "verdict",
                                cli_result_word(failover_limit_exit(result, &limits[i])));
        cJSON_AddStringToObject(object, "why", limits[i].known ? "" : limits[i].why);
        cJSON_AddItemToArray(list, object);
    }
}

static void add_herd(cJSON *root, const struct failover_result *result)
{
    const struct failover_herd *herd = &result->found.herd;
    cJSON *object = cJSON_AddObjectToObject(root, "herd");
    cJSON_AddNumberToObject(object, "count", (double)herd->count);
    cJSON_AddNumberToObject(object, "peak", (double)herd->peak);
    cJSON_AddNumberToObject(object, "mean", herd->mean);
    cJSON_AddNumberToObject(object, "ratio", herd->ratio);
    cJSON_AddNumberToObject(object, "window_ns", (double)(herd->bins * FAILOVER_BIN_NS));
}

/* What is to be said above the pictures: [text, mood]. */
static void add_note(cJSON *list, const char *text, const char *mood)
{
    cJSON *pair = cJSON_CreateArray();
    cJSON_AddItemToArray(pair, cJSON_CreateString(text));
    cJSON_AddItemToArray(pair, cJSON_CreateString(mood));
    cJSON_AddItemToArray(list, pair);
}

static void add_notes(cJSON *root, const struct failover_result *result)
{
    const struct failover_found *found = &result->found;
    cJSON *list = cJSON_AddArrayToObject(root, "notes");
    char text[NOTE_BYTES];
    for (size_t i = 0; i < found->mets.count && result->fault_ended; i++) {
        if (found->mets.all[i].meeting == FAILOVER_MISSED) {
            snprintf(text, sizeof(text),
                     "the fault did not meet %s: how it comes back was not "
                     "checked",
                     found->mets.all[i].version);
            add_note(list, text, "warn");
        }
    }
    for (size_t i = 0; i < found->holes.count; i++) {
        const struct failover_hole *hole = &found->holes.all[i];
        char took[TEXT_DURATION_BYTES];
        snprintf(text, sizeof(text),
                 "black hole: %s answered nothing on %zu open streams for up "
                 "to %s",
                 hole->pod[0] != '\0' ? hole->pod : "an unknown pod", hole->streams,
                 text_format_duration(took, sizeof(took), hole->longest_ns));
        text_make_readable(text);
        add_note(list, text, "bad");
    }
    if (result->roll_call.made && result->roll_call.answered < result->roll_call.calls) {
        snprintf(text, sizeof(text), "%zu of %zu new streams of the roll call were not answered",
                 result->roll_call.calls - result->roll_call.answered, result->roll_call.calls);
        add_note(list, text, "warn");
    }
}

static void add_times(cJSON *root, const struct failover_result *result)
{
    const struct failover_history *history = &result->history;
    cJSON_AddBoolToObject(root, "fault_began", history->fault_ns != 0);
    cJSON_AddBoolToObject(root, "fault_ended", history->over_ns != 0);
    cJSON_AddNumberToObject(root, "fault_exit_code", result->fault_exit);
    cJSON_AddNumberToObject(root, "began_us", us_from_fault(history, history->began_ns));
    cJSON_AddNumberToObject(root, "over_us", us_from_fault(history, history->over_ns));
    cJSON_AddNumberToObject(root, "ended_us", us_from_fault(history, history->ended_ns));
    cJSON_AddNumberToObject(root, "silence_us", (double)(history->silence_ns / NS_PER_US));
    cJSON_AddNumberToObject(root, "interval_ns", (double)result->interval_ns);
    cJSON_AddNumberToObject(root, "max_gap_ns", (double)result->max_gap_ns);
    cJSON_AddNumberToObject(root, "seed", (double)result->seed);
}

static char *data_of(const struct failover_result *result)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "target", result->target);
    role_service_add_json(root, result->service);
    cJSON_AddStringToObject(root, "fault", result->fault);
    cJSON_AddStringToObject(root, "command", result->command);
    add_times(root, result);
    add_bins(root, &result->history);
    add_spreads(root, result);
    add_limits(root, result);
    add_herd(root, result);
    add_notes(root, result);
    cJSON *pods = cJSON_AddArrayToObject(root, "pods");
    for (size_t i = 0; i < result->history.pod_count; i++) {
        char shown[FAILOVER_NAME_BYTES];
        snprintf(shown, sizeof(shown), "%s", result->history.pods[i].name);
        text_make_readable(shown);
        cJSON_AddItemToArray(pods, cJSON_CreateString(shown));
    }
    cJSON *streams = cJSON_AddArrayToObject(root, "streams");
    for (size_t i = 0; i < result->stream_count; i++) {
        cJSON_AddItemToArray(streams, json_stream(result, &result->streams[i]));
    }
    char *text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    return text;
}

/* ---- headline -------------------------------------------------------------------------------- */

static void say_failures(const struct failover_result *result, char out[static HEADLINE_BYTES])
{
    char most[TEXT_DURATION_BYTES];
    size_t lost = 0;
    size_t late = 0;
    size_t misrouted = 0;
    size_t repeated = 0;
    size_t confused = 0;
    for (size_t i = 0; i < result->stream_count; i++) {
        const struct failover_stream *stream = &result->streams[i];
        lost += !stream->back;
        late += stream->back && stream->gap_ns > result->max_gap_ns;
        misrouted += stream->misrouted > 0;
        repeated += stream->repeated > 0;
        confused += stream->disordered + stream->moved > 0;
    }
    int len = snprintf(out, HEADLINE_BYTES,
                       "Of %zu streams %zu are not back, %zu were silent for more than %s, %zu "
                       "were answered by a wrong version, %zu were answered twice, %zu out of "
                       "order or by several pods",
                       result->stream_count, lost, late,
                       text_format_duration(most, sizeof(most), result->max_gap_ns), misrouted,
                       repeated, confused);
    struct failover_limit limits[FAILOVER_LIMITS_MAX];
    size_t count = failover_limits(result, limits);
    for (size_t i = 4; i < count && len > 0 && len < HEADLINE_BYTES; i++) {
        char value[FAILOVER_LIMIT_BYTES];
        char limit[FAILOVER_LIMIT_BYTES];
        if (failover_limit_exit(result, &limits[i]) == EXIT_CHECK_FAILED) {
            len +=
                snprintf(out + len, (size_t)(HEADLINE_BYTES - len), "; the %s is %s, above %s",
                         limits[i].metric, failover_limit_text(&limits[i], limits[i].value, value),
                         failover_limit_text(&limits[i], limits[i].limit, limit));
        }
    }
}

static void say(const struct failover_result *result, int exit_code,
                char out[static HEADLINE_BYTES])
{
    char most[TEXT_DURATION_BYTES];
    char summary[FAILOVER_SUMMARY_BYTES];
    char end[FAILOVER_COMMAND_END_BYTES];
    if (exit_code > EXIT_NO_EVIDENCE) {
        snprintf(out, HEADLINE_BYTES, "Interrupted; this is what was seen until then");
    } else if (result->run_exit != 0) {
        snprintf(out, HEADLINE_BYTES, "%s", result->reason);
        text_make_readable(out);
    } else if (result->fault_exit != 0) {
        snprintf(out, HEADLINE_BYTES, "The command of the fault failed with %s",
                 failover_command_end(result, end));
    } else if (exit_code == EXIT_CHECK_FAILED) {
        say_failures(result, out);
    } else if (exit_code == EXIT_NO_EVIDENCE) {
        snprintf(out, HEADLINE_BYTES, "%s", failover_summary(result, summary));
    } else {
        snprintf(out, HEADLINE_BYTES,
                 "Every stream is back and rightly routed, none was silent for more than %s",
                 text_format_duration(most, sizeof(most), result->max_gap_ns));
    }
}

void failover_print_page(FILE *out, const void *printed)
{
    const struct failover_result *result = printed;
    char headline[HEADLINE_BYTES];
    int exit_code = failover_exit_code(result);
    say(result, exit_code, headline);
    const struct cli_report report = {
        .command = "failover-test",
        .result = cli_result_word(exit_code),
        .headline = headline,
        .exit_code = exit_code,
    };
    char *data = data_of(result);
    cli_write_page(out, failover_html, &report, data);
    cJSON_free(data);
}
