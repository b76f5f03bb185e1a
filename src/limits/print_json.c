/* The result for machines (docs/schema/limits.json). */
#include "base/text.h"
#include "limits/print.h"
#include "limits/report.h"
#include "limits/words.h"

#include <cJSON.h>
#include <string.h>

/* Escaped text as people read it. */
static void add_text(cJSON *object, const char *name, const char *escaped)
{
    char shown[LIMITS_TEXT_BYTES];
    snprintf(shown, sizeof(shown), "%s", escaped);
    text_make_readable(shown);
    cJSON_AddStringToObject(object, name, shown);
}

/* "value_ns", "value_bytes" or "value"; facts have none. */
static void add_value(cJSON *object, const char *name, enum limits_kind kind, uint64_t value)
{
    static const char *const units[] = {
        [LIMITS_DURATION] = "_ns",
        [LIMITS_BYTES] = "_bytes",
        [LIMITS_COUNT] = "",
        [LIMITS_FACT] = "",
    };
    char full[32];
    snprintf(full, sizeof(full), "%s%s", name, units[kind]);
    if (kind != LIMITS_FACT && value == LIMITS_VALUE_NONE) {
        cJSON_AddNullToObject(object, full);
    } else if (kind != LIMITS_FACT) {
        cJSON_AddNumberToObject(object, full, (double)value);
    }
}

static cJSON *json_sample(const struct limits_finding *finding, const struct limits_sample *sample)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddBoolToObject(object, "opened", sample->opened);
    add_text(object, "client_saw", sample->saw);
    if (sample->opened) {
        cJSON_AddNumberToObject(object, "opened_ns", (double)sample->opened_ns);
        cJSON_AddNumberToObject(object, "lived_ns", (double)sample->lived_ns);
        add_value(object, "value", finding->kind, sample->value);
        add_value(object, "resolution", finding->kind, sample->resolution);
        cJSON_AddStringToObject(object, "end", limits_end_name(sample->end));
        cJSON_AddNumberToObject(object, "code", sample->code);
        cJSON_AddBoolToObject(object, "goaway_seen", sample->goaway_seen);
        cJSON_AddStringToObject(object, "ended_by", limits_side_name(sample->side));
        add_text(object, "server_saw", sample->server_saw);
    }
    return object;
}

static void add_settings(cJSON *object, const struct limits_finding *finding)
{
    cJSON *list = cJSON_AddArrayToObject(object, "settings");
    for (size_t i = 0; i < finding->setting_count; i++) {
        cJSON *setting = cJSON_CreateObject();
        cJSON_AddStringToObject(setting, "program", finding->settings[i]->program);
        cJSON_AddStringToObject(setting, "name", finding->settings[i]->name);
        cJSON_AddStringToObject(setting, "usual", finding->settings[i]->usual);
        cJSON_AddStringToObject(setting, "mend", finding->settings[i]->mend);
        cJSON_AddItemToArray(list, setting);
    }
}

static void add_found(cJSON *object, const struct limits_finding *finding)
{
    bool ended = finding->state == LIMITS_FOUND || finding->state == LIMITS_BY_OTHER;
    if (finding->kind == LIMITS_FACT && finding->state == LIMITS_FOUND) {
        cJSON_AddBoolToObject(object, "holds", finding->fact);
    }
    if (ended) {
        add_value(object, "value", finding->kind, finding->value);
        add_value(object, "resolution", finding->kind, finding->resolution);
    }
    if (finding->state != LIMITS_NOT_MEASURED) {
        add_value(object, "looked", finding->kind, finding->looked);
    }
    if (finding->state == LIMITS_BY_OTHER) {
        cJSON_AddStringToObject(object, "by", limits_shape_name(finding->by));
    }
}

static cJSON *json_finding(const struct limits_finding *finding)
{
    static const char *const kinds[] = {
        [LIMITS_DURATION] = "duration",
        [LIMITS_BYTES] = "bytes",
        [LIMITS_COUNT] = "count",
        [LIMITS_FACT] = "fact",
    };
    char found[LIMITS_FOUND_BYTES];
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "shape", limits_shape_name(finding->shape));
    cJSON_AddStringToObject(object, "what", limits_shape_text(finding->shape));
    cJSON_AddStringToObject(object, "kind", kinds[finding->kind]);
    cJSON_AddStringToObject(object, "state", limits_state_name(finding->state));
    cJSON_AddStringToObject(object, "text", limits_found_text(finding, true, found));
    add_found(object, finding);
    cJSON_AddStringToObject(object, "ended_by", limits_side_name(finding->side));
    add_text(object, "look", finding->look);
    add_text(object, "why", finding->why);
    cJSON *samples = cJSON_AddArrayToObject(object, "samples");
    for (size_t i = 0; i < finding->sample_count; i++) {
        cJSON_AddItemToArray(samples, json_sample(finding, &finding->samples[i]));
    }
    add_settings(object, finding);
    add_text(object, "advice", finding->advice);
    return object;
}

static void add_contract(cJSON *object, const struct limits_report *report)
{
    cJSON *contract = cJSON_AddObjectToObject(object, "contract");
    cJSON *list = NULL;
    char path[LIMITS_TEXT_BYTES];
    text_escape(path, sizeof(path), report->contract->path, strlen(report->contract->path));
    add_text(contract, "file", path);
    list = cJSON_AddArrayToObject(contract, "promises");
    for (size_t i = 0; i < report->contract->count; i++) {
        const struct limits_promise *promise = &report->contract->promises[i];
        char why[LIMITS_TEXT_BYTES];
        enum limits_verdict verdict = limits_promise_judge(promise, report->result, why);
        cJSON *one = cJSON_CreateObject();
        cJSON_AddNumberToObject(one, "line", promise->line);
        cJSON_AddStringToObject(one, "promise", promise->text);
        cJSON_AddStringToObject(one, "shape", limits_shape_name(promise->shape));
        cJSON_AddStringToObject(one, "verdict", limits_verdict_name(verdict));
        add_text(one, "why", why);
        cJSON_AddItemToArray(list, one);
    }
}

void limits_print_json(cJSON *object, const void *printed)
{
    const struct limits_report *report = printed;
    const struct limits_result *result = report->result;
    if (!result->connected) {
        return; /* the envelope says why */
    }
    cJSON_AddStringToObject(object, "format", LIMITS_FORMAT);
    cJSON_AddNumberToObject(object, "within_ns", (double)result->within_ns);
    cJSON_AddNumberToObject(object, "took_ns", (double)result->took_ns);
    cJSON_AddBoolToObject(object, "gentle", result->gentle);
    cJSON_AddBoolToObject(object, "has_probe", result->has_probe);
    add_text(object, "no_probe", result->no_probe);
    add_text(object, "server_id", result->server_id);
    cJSON *list = cJSON_AddArrayToObject(object, "limits");
    for (size_t i = 0; i < LIMITS_SHAPES; i++) {
        if (result->findings[i].wanted) {
            cJSON_AddItemToArray(list, json_finding(&result->findings[i]));
        }
    }
    if (report->contract != NULL) {
        add_contract(object, report);
    }
}
