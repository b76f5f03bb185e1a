#include "limits/json.h"

#include "base/mem.h"
#include "base/text.h"
#include "limits/words.h"

#include <assert.h>
#include <cJSON.h>
#include <stdio.h>

void limits_json_text(cJSON *object, const char *name, const char *escaped)
{
    char shown[LIMITS_TEXT_BYTES];
    snprintf(shown, sizeof(shown), "%s", escaped);
    text_make_readable(shown);
    cJSON_AddStringToObject(object, name, shown);
}

const char *limits_json_member(const char *name, enum limits_kind kind,
                               char out[static LIMITS_MEMBER_BYTES])
{
    static const char *const units[] = {
        [LIMITS_DURATION] = "_ns",
        [LIMITS_BYTES] = "_bytes",
        [LIMITS_COUNT] = "",
        [LIMITS_FACT] = "",
    };
    snprintf(out, LIMITS_MEMBER_BYTES, "%s%s", name, units[kind]);
    return out;
}

void limits_json_value(cJSON *object, const char *name, enum limits_kind kind, uint64_t value)
{
    char member[LIMITS_MEMBER_BYTES];
    limits_json_member(name, kind, member);
    if (kind != LIMITS_FACT && value == LIMITS_VALUE_NONE) {
        cJSON_AddNullToObject(object, member);
    } else if (kind != LIMITS_FACT) {
        cJSON_AddNumberToObject(object, member, (double)value);
    }
}

const char *limits_kind_name(enum limits_kind kind)
{
    static const char *const names[] = {
        [LIMITS_DURATION] = "duration",
        [LIMITS_BYTES] = "bytes",
        [LIMITS_COUNT] = "count",
        [LIMITS_FACT] = "fact",
    };
    assert(kind < ARRAY_SIZE(names));
    return names[kind];
}

void limits_json_found(cJSON *object, const struct limits_finding *finding)
{
    char found[LIMITS_FOUND_BYTES];
    bool ended = finding->state == LIMITS_FOUND || finding->state == LIMITS_BY_OTHER;
    cJSON_AddStringToObject(object, "state", limits_state_name(finding->state));
    cJSON_AddStringToObject(object, "text", limits_found_text(finding, true, found));
    if (finding->kind == LIMITS_FACT && finding->state == LIMITS_FOUND) {
        cJSON_AddBoolToObject(object, "holds", finding->fact);
    }
    if (ended) {
        limits_json_value(object, "value", finding->kind, finding->value);
        limits_json_value(object, "resolution", finding->kind,
                          finding->value != LIMITS_VALUE_NONE ? finding->resolution : 0);
    }
    if (finding->state != LIMITS_NOT_MEASURED) {
        limits_json_value(object, "looked", finding->kind, finding->looked);
    }
    if (finding->state == LIMITS_BY_OTHER) {
        cJSON_AddStringToObject(object, "by", limits_shape_name(finding->by));
    }
    cJSON_AddStringToObject(object, "ended_by", limits_side_name(finding->side));
    limits_json_text(object, "look", finding->look);
    limits_json_text(object, "why", finding->why);
}
