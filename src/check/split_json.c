#include "check/split_json.h"

/* A share, or null for what lies outside. */
static cJSON *json_share(double share)
{
    return share >= 0 && share <= 1 ? cJSON_CreateNumber(share) : cJSON_CreateNull();
}

static double ratio(uint64_t part, uint64_t all)
{
    return all > 0 ? (double)part / (double)all : -1;
}

static cJSON *json_versions(const struct role_expectation *expect, const struct split_part *part)
{
    cJSON *versions = cJSON_CreateArray();
    for (size_t v = 0; v < expect->version_count; v++) {
        if ((part->versions & UINT32_C(1) << v) != 0) {
            cJSON_AddItemToArray(versions, cJSON_CreateString(expect->versions[v]));
        }
    }
    return versions;
}

static cJSON *json_part(const struct check_plan *plan, const struct split *split,
                        const struct split_part *part, const struct role_expectation *expect)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "backends", part->names);
    cJSON_AddItemToObject(object, "server_versions", json_versions(expect, part));
    cJSON_AddNumberToObject(object, "weight", (double)part->weight);
    cJSON_AddNumberToObject(object, "expected_share", part->expected);
    cJSON_AddNumberToObject(object, "streams", (double)part->streams);
    cJSON_AddItemToObject(object, "share", json_share(ratio(part->streams, split->streams)));
    cJSON_AddItemToObject(object, "interval_low", json_share(part->low));
    cJSON_AddItemToObject(object, "interval_high", json_share(part->high));
    cJSON_AddItemToObject(object, "found_at_or_below", json_share(part->found_below));
    cJSON_AddItemToObject(object, "found_at_or_above", json_share(part->found_above));
    cJSON_AddBoolToObject(object, "wrong", part->wrong);
    if (plan->hold_ms > 0) {
        cJSON_AddNumberToObject(object, "live_streams", (double)part->live);
        cJSON_AddItemToObject(object, "live_share", json_share(ratio(part->live, split->live)));
    }
    return object;
}

cJSON *check_split_json(const struct check_report *report, size_t group)
{
    static const char *const results[] = {
        [SPLIT_RIGHT] = "passed", [SPLIT_WRONG] = "failed", [SPLIT_TOO_FEW] = "no_evidence"};
    const struct check_plan *plan = report->run->plan;
    const struct split *split = &report->splits[group];
    if (split->part_count == 0) {
        return cJSON_CreateNull();
    }
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "result", results[split->result]);
    cJSON_AddNumberToObject(object, "new_streams", (double)split->streams);
    cJSON_AddNumberToObject(object, "unanswered_streams", (double)split->unanswered);
    cJSON_AddNumberToObject(object, "confidence", 1 - split->alpha);
    cJSON_AddNumberToObject(object, "power", SPLIT_POWER);
    cJSON_AddNumberToObject(object, "error_to_show", split->resolution);
    if (plan->hold_ms > 0) {
        cJSON_AddNumberToObject(object, "live_streams", (double)split->live);
    }
    cJSON *parts = cJSON_AddArrayToObject(object, "parts");
    for (size_t i = 0; i < split->part_count; i++) {
        cJSON_AddItemToArray(parts,
                             json_part(plan, split, &split->parts[i], &plan->groups[group].expect));
    }
    return object;
}
