/* The result for machines (docs/schema/failover-test.json). */
#include "base/text.h"
#include "cli/exit.h"
#include "cli/invocation.h"
#include "failover/judge.h"
#include "failover/print.h"
#include "role/service_json.h"

#include <cJSON.h>

void failover_add_counts(struct cJSON *object, const struct failover_stream *stream)
{
    cJSON_AddNumberToObject(object, "gap_ns", (double)stream->gap_ns);
    cJSON_AddNumberToObject(object, "sent", (double)stream->sent);
    cJSON_AddNumberToObject(object, "lost", (double)stream->lost);
    cJSON_AddNumberToObject(object, "repeated", (double)stream->repeated);
    cJSON_AddNumberToObject(object, "disordered", (double)stream->disordered);
    cJSON_AddNumberToObject(object, "moved", (double)stream->moved);
    cJSON_AddNumberToObject(object, "misrouted", (double)stream->misrouted);
}

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
    failover_add_counts(object, stream);
    static const char *const ends[] = {
        [FAILOVER_END_NONE] = "none",
        [FAILOVER_END_GOOD] = "ok",
        [FAILOVER_END_BAD] = "bad",
        [FAILOVER_END_OPEN] = "open",
    };
    cJSON_AddStringToObject(object, "end", ends[stream->end]);
    cJSON_AddStringToObject(object, "end_cause", stream->end_cause);
    cJSON_AddNumberToObject(object, "unnamed", (double)stream->unnamed);
    static const char *const silences[FAILOVER_HOLE_ENDS] = {
        [FAILOVER_HOLE_NONE] = "none",
        [FAILOVER_HOLE_OPEN] = "still_open",
        [FAILOVER_HOLE_ANSWERED] = "answered_again",
        [FAILOVER_HOLE_ENDED] = "ended",
    };
    bool hole = failover_is_hole(result, stream);
    cJSON_AddStringToObject(object, "black_hole",
                            silences[hole ? stream->silence.end : FAILOVER_HOLE_NONE]);
    cJSON_AddNumberToObject(object, "silent_open_ns", (double)stream->silence.took_ns);
    return object;
}

static void add_limits(cJSON *object, const struct failover_result *result)
{
    struct failover_limit limits[FAILOVER_LIMITS_MAX];
    cJSON *list = cJSON_AddArrayToObject(object, "thresholds");
    size_t count = failover_limits(result, limits);
    for (size_t i = 0; i < count; i++) {
        cJSON *threshold = cJSON_CreateObject();
        cJSON_AddStringToObject(threshold, "threshold", limits[i].text);
        cJSON_AddStringToObject(threshold, "metric", limits[i].metric);
        cJSON_AddStringToObject(threshold, "unit", limits[i].unit);
        cJSON_AddNumberToObject(threshold, "value", limits[i].value);
        cJSON_AddNumberToObject(threshold, "limit", limits[i].limit);
        cJSON_AddStringToObject(threshold, "verdict",
                                cli_result_word(failover_limit_exit(result, &limits[i])));
        cJSON_AddItemToArray(list, threshold);
    }
}

/* ---- versions -------------------------------------------------------------------------------- */

static void add_versions(cJSON *object, const struct failover_result *result)
{
    static const char *const meetings[] = {
        [FAILOVER_UNTOUCHED] = "untouched",
        [FAILOVER_MET] = "met",
        [FAILOVER_MISSED] = "missed",
    };
    const struct failover_mets *mets = &result->found.mets;
    cJSON_AddNumberToObject(object, "probability_to_meet", mets->probability);
    cJSON *list = cJSON_AddArrayToObject(object, "versions");
    for (size_t i = 0; i < mets->count; i++) {
        const struct failover_met *met = &mets->all[i];
        cJSON *version = cJSON_CreateObject();
        cJSON_AddStringToObject(version, "agent_version", met->version);
        cJSON_AddStringToObject(version, "server_version", met->backend);
        cJSON_AddNumberToObject(version, "streams", (double)met->streams);
        cJSON_AddNumberToObject(version, "interrupted", (double)met->interrupted);
        cJSON_AddStringToObject(version, "fault", meetings[met->meeting]);
        cJSON_AddItemToArray(list, version);
    }
}

/* ---- pods ------------------------------------------------------------------------------------ */

static cJSON *json_pods(const struct failover_result *result, const struct failover_spread *spread)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < spread->pod_count; i++) {
        const struct failover_spread_pod *pod = &spread->pods[i];
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "pod", result->history.pods[pod->pod].name);
        cJSON_AddNumberToObject(object, "before", pod->before);
        cJSON_AddNumberToObject(object, "after", pod->after);
        cJSON_AddNumberToObject(object, "silent", pod->silent);
        cJSON_AddBoolToObject(object, "there", pod->there);
        cJSON_AddNumberToObject(object, "roll_call", result->history.pods[pod->pod].called);
        cJSON_AddItemToArray(list, object);
    }
    return list;
}

static cJSON *json_points(const struct failover_spread *spread)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < spread->point_count; i++) {
        const struct failover_spread_point *point = &spread->points[i];
        cJSON *object = cJSON_CreateObject();
        cJSON_AddNumberToObject(object, "at_ns", (double)point->at_ns);
        cJSON_AddNumberToObject(object, "spread_percent", point->percent);
        cJSON_AddNumberToObject(object, "absent", point->absent);
        cJSON *counts = cJSON_AddArrayToObject(object, "streams");
        for (size_t j = 0; j < spread->pod_count; j++) {
            cJSON_AddItemToArray(counts,
                                 cJSON_CreateNumber(spread->counts[i * spread->pod_count + j]));
        }
        cJSON_AddItemToArray(list, object);
    }
    return list;
}

static cJSON *spread_object(const struct failover_result *result,
                            const struct failover_spread *spread)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "server_version", spread->backend);
    cJSON_AddNumberToObject(object, "streams", (double)spread->streams);
    cJSON_AddNumberToObject(object, "before_percent", spread->before_percent);
    cJSON_AddNumberToObject(object, "after_percent", spread->after_percent);
    cJSON_AddItemToObject(object, "even_after_ns",
                          spread->even_after_ns == FAILOVER_NEVER
                              ? cJSON_CreateNull()
                              : cJSON_CreateNumber((double)spread->even_after_ns));
    cJSON_AddStringToObject(object, "not_checked", spread->unknown != NULL ? spread->unknown : "");
    cJSON_AddItemToObject(object, "pods", json_pods(result, spread));
    cJSON_AddItemToObject(object, "over_time", json_points(spread));
    return object;
}

static void add_spreads(cJSON *object, const struct failover_result *result)
{
    cJSON *list = cJSON_AddArrayToObject(object, "spreads");
    for (size_t i = 0; i < result->found.spreads.count; i++) {
        cJSON_AddItemToArray(list, spread_object(result, &result->found.spreads.all[i]));
    }
}

static void add_roll_call(cJSON *object, const struct failover_result *result)
{
    const struct failover_roll_call *call = &result->roll_call;
    cJSON *json = cJSON_AddObjectToObject(object, "roll_call");
    cJSON_AddBoolToObject(json, "made", call->made);
    cJSON_AddNumberToObject(json, "streams", (double)call->calls);
    cJSON_AddNumberToObject(json, "answered", (double)call->answered);
    cJSON_AddNumberToObject(json, "misrouted", (double)call->misrouted);
    cJSON_AddStringToObject(json, "cause", call->cause);
}

static void add_holes(cJSON *object, const struct failover_result *result)
{
    cJSON *list = cJSON_AddArrayToObject(object, "black_holes");
    for (size_t i = 0; i < result->found.holes.count; i++) {
        const struct failover_hole *hole = &result->found.holes.all[i];
        cJSON *json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "pod", hole->pod);
        cJSON_AddStringToObject(json, "server_version", hole->version);
        cJSON_AddNumberToObject(json, "streams", (double)hole->streams);
        cJSON_AddNumberToObject(json, "longest_ns", (double)hole->longest_ns);
        cJSON_AddNumberToObject(json, "still_open", (double)hole->ends[FAILOVER_HOLE_OPEN]);
        cJSON_AddNumberToObject(json, "answered_again", (double)hole->ends[FAILOVER_HOLE_ANSWERED]);
        cJSON_AddNumberToObject(json, "ended", (double)hole->ends[FAILOVER_HOLE_ENDED]);
        cJSON_AddItemToArray(list, json);
    }
}

static void add_reconnects(cJSON *object, const struct failover_result *result)
{
    const struct failover_history *history = &result->history;
    const struct failover_herd *herd = &result->found.herd;
    cJSON *json = cJSON_AddObjectToObject(object, "reconnects");
    cJSON_AddNumberToObject(json, "count", (double)herd->count);
    cJSON_AddNumberToObject(json, "peak", (double)herd->peak);
    cJSON_AddNumberToObject(json, "peak_after_ns", (double)herd->peak_ns);
    cJSON_AddNumberToObject(json, "mean", herd->mean);
    cJSON_AddNumberToObject(json, "peak_over_mean", herd->ratio);
    cJSON_AddNumberToObject(json, "window_ns", (double)(herd->bins * FAILOVER_BIN_NS));
    cJSON_AddNumberToObject(json, "bin_ns", (double)FAILOVER_BIN_NS);
    cJSON *curve = cJSON_AddArrayToObject(json, "curve");
    for (size_t i = 0; i < history->bin_count; i++) {
        cJSON_AddItemToArray(curve, cJSON_CreateNumber(history->bins[i].back));
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

void failover_print_json(struct cJSON *object, const void *printed)
{
    const struct failover_result *result = printed;
    role_service_add_json(object, result->service);
    cJSON_AddStringToObject(object, "fault", result->fault);
    cJSON_AddStringToObject(object, "fault_command", result->command);
    cJSON_AddItemToObject(object, "fault_exit_code",
                          result->fault_ended ? cJSON_CreateNumber(result->fault_exit)
                                              : cJSON_CreateNull());
    cJSON_AddNumberToObject(object, "fault_ns", (double)result->fault_ns);
    cJSON_AddNumberToObject(object, "max_gap_ns", (double)result->max_gap_ns);
    cJSON_AddNumberToObject(object, "seed", (double)result->seed);
    cJSON_AddNumberToObject(object, "interrupted", (double)failover_interrupted(result));
    add_limits(object, result);
    add_versions(object, result);
    add_spreads(object, result);
    add_roll_call(object, result);
    add_reconnects(object, result);
    add_holes(object, result);
    cJSON *streams = cJSON_AddArrayToObject(object, "streams");
    for (size_t i = 0; i < result->stream_count; i++) {
        cJSON_AddItemToArray(streams, stream_object(result, &result->streams[i]));
    }
}
