/* The result for machines (docs/schema/limits.json). */
#include "base/text.h"
#include "limits/json.h"
#include "limits/print.h"
#include "limits/report.h"
#include "limits/words.h"

#include <cJSON.h>
#include <string.h>

static cJSON *json_sample(const struct limits_finding *finding, const struct limits_sample *sample)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddBoolToObject(object, "opened", sample->opened);
    limits_json_text(object, "client_saw", sample->saw);
    if (sample->opened) {
        cJSON_AddNumberToObject(object, "opened_ns", (double)sample->opened_ns);
        cJSON_AddNumberToObject(object, "lived_ns", (double)sample->lived_ns);
        limits_json_value(object, "value", finding->kind, sample->value);
        limits_json_value(object, "resolution", finding->kind, sample->resolution);
        cJSON_AddStringToObject(object, "end", limits_end_name(sample->end));
        cJSON_AddNumberToObject(object, "code", sample->code);
        cJSON_AddBoolToObject(object, "goaway_seen", sample->goaway_seen);
        cJSON_AddStringToObject(object, "ended_by", limits_side_name(sample->side));
        limits_json_text(object, "server_saw", sample->server_saw);
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

static cJSON *json_finding(const struct limits_finding *finding)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "shape", limits_shape_name(finding->shape));
    cJSON_AddStringToObject(object, "what", limits_shape_text(finding->shape));
    cJSON_AddStringToObject(object, "kind", limits_kind_name(finding->kind));
    limits_json_found(object, finding);
    cJSON *samples = cJSON_AddArrayToObject(object, "samples");
    for (size_t i = 0; i < finding->sample_count; i++) {
        cJSON_AddItemToArray(samples, json_sample(finding, &finding->samples[i]));
    }
    add_settings(object, finding);
    limits_json_text(object, "advice", finding->advice);
    return object;
}

static void add_contract(cJSON *object, const struct limits_report *report)
{
    cJSON *contract = cJSON_AddObjectToObject(object, "contract");
    cJSON *list = NULL;
    char path[LIMITS_TEXT_BYTES];
    text_escape(path, sizeof(path), report->contract->path, strlen(report->contract->path));
    limits_json_text(contract, "file", path);
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
        limits_json_text(one, "why", why);
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
    cJSON_AddBoolToObject(object, "direct", result->direct);
    limits_json_text(object, "no_probe", result->no_probe);
    limits_json_text(object, "server_id", result->server_id);
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
