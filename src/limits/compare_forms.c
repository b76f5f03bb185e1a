/* A comparison for machines and for the pages of CI jobs. */
#include "cli/exit.h"
#include "cli/junit.h"
#include "cli/markdown.h"
#include "limits/compare_print.h"
#include "limits/json.h"
#include "limits/report.h"
#include "limits/words.h"

#include <cJSON.h>

/* ---- JSON (docs/schema/limits-compare.json) -------------------------------------------------- */

static void add_file(cJSON *object, const char *name, const struct limits_file *file)
{
    cJSON *one = cJSON_AddObjectToObject(object, name);
    limits_json_text(one, "file", file->path);
    limits_json_text(one, "target", file->target);
    limits_json_text(one, "started_at", file->started_at);
    cJSON_AddNumberToObject(one, "within_ns", (double)file->result.within_ns);
}

static cJSON *json_found(const struct limits_finding *finding)
{
    cJSON *object = cJSON_CreateObject();
    limits_json_found(object, finding);
    return object;
}

static cJSON *json_row(const struct limits_pair *pair, const struct limits_compared *row)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "shape", limits_shape_name(row->shape));
    cJSON_AddStringToObject(object, "kind", limits_kind_name(limits_shape_kind(row->shape)));
    cJSON_AddStringToObject(object, "change", limits_change_name(row->change));
    cJSON_AddStringToObject(object, "text", limits_change_text(row));
    cJSON_AddBoolToObject(object, "worse", row->worse);
    cJSON_AddBoolToObject(object, "missing", row->missing);
    cJSON_AddBoolToObject(object, "ends_elsewhere", row->other_side);
    cJSON_AddBoolToObject(object, "looks_otherwise", row->other_look);
    cJSON_AddItemToObject(object, "before", json_found(&pair->before->result.findings[row->shape]));
    cJSON_AddItemToObject(object, "now", json_found(&pair->now->result.findings[row->shape]));
    return object;
}

void limits_pair_print_json(cJSON *object, const void *printed)
{
    const struct limits_pair *pair = printed;
    const struct limits_comparison *comparison = &pair->comparison;
    add_file(object, "before", pair->before);
    add_file(object, "now", pair->now);
    cJSON *rows = cJSON_AddArrayToObject(object, "shapes");
    for (size_t i = 0; i < comparison->row_count; i++) {
        cJSON_AddItemToArray(rows, json_row(pair, &comparison->rows[i]));
    }
    cJSON *unmeasured = cJSON_AddArrayToObject(object, "unmeasured");
    for (size_t i = 0; i < comparison->unmeasured_count; i++) {
        const char *name = limits_shape_name(comparison->unmeasured[i]);
        cJSON_AddItemToArray(unmeasured, cJSON_CreateString(name));
    }
}

/* ---- Markdown -------------------------------------------------------------------------------- */

static const char *verdict_of(const struct limits_compared *row)
{
    return row->worse ? "worse" : row->missing ? "not compared" : "ok";
}

static void put_row(FILE *out, const struct limits_pair *pair, const struct limits_compared *row)
{
    char found[2][LIMITS_FOUND_BYTES];
    const struct limits_finding *before = &pair->before->result.findings[row->shape];
    const struct limits_finding *now = &pair->now->result.findings[row->shape];
    const char *const cells[] = {verdict_of(row),
                                 limits_shape_name(row->shape),
                                 limits_found_text(before, true, found[0]),
                                 limits_found_text(now, true, found[1]),
                                 limits_change_text(row),
                                 row->other_side ? limits_side_text(before->side) : "",
                                 row->other_side ? limits_side_text(now->side) : "",
                                 row->other_look ? before->look : "",
                                 row->other_look ? now->look : "",
                                 NULL};
    cli_markdown_row(out, cells);
}

static void put_file(FILE *out, const char *label, const struct limits_file *file)
{
    char looked[LIMITS_VALUE_BYTES] = "";
    uint64_t looked_ns = limits_report_looked_ns(&file->result);
    if (looked_ns > 0) {
        limits_value_text(LIMITS_DURATION, looked_ns, looked, sizeof(looked));
    }
    const char *const cells[] = {label, file->path, file->target, file->started_at, looked, NULL};
    cli_markdown_row(out, cells);
}

void limits_pair_print_markdown(FILE *out, const void *printed)
{
    static const char *const files[] = {"", "File", "Target", "Started", "Looked for", NULL};
    static const char *const columns[] = {
        "Verdict", "Shape",       "Before",         "Now", "Change", "Ended by, before",
        "Now",     "Looked like", "Looks like now", NULL};
    const struct limits_pair *pair = printed;
    cli_markdown_table(out, "Compared", files);
    put_file(out, "before", pair->before);
    put_file(out, "now", pair->now);
    cli_markdown_table(out, "Limits", columns);
    for (size_t i = 0; i < pair->comparison.row_count; i++) {
        put_row(out, pair, &pair->comparison.rows[i]);
    }
    for (size_t i = 0; i < pair->comparison.unmeasured_count; i++) {
        fputs(i == 0 ? "\nMeasured by neither: " : ", ", out);
        cli_markdown_text(out, limits_shape_name(pair->comparison.unmeasured[i]));
    }
    fputs(pair->comparison.unmeasured_count > 0 ? ".\n" : "", out);
}

/* ---- JUnit ----------------------------------------------------------------------------------- */

static void put_case(FILE *out, const struct cli_junit_suite *suite, const struct limits_pair *pair,
                     const struct limits_compared *row)
{
    char found[2][LIMITS_FOUND_BYTES];
    char text[3 * LIMITS_FOUND_BYTES];
    const struct limits_finding *before = &pair->before->result.findings[row->shape];
    const struct limits_finding *now = &pair->now->result.findings[row->shape];
    snprintf(text, sizeof(text), "%s: %s before, %s now", limits_change_text(row),
             limits_found_text(before, true, found[0]), limits_found_text(now, true, found[1]));
    cli_junit_case_begin(out, suite, limits_shape_name(row->shape));
    if (row->worse || row->missing) {
        cli_junit_problem(out, row->worse ? CLI_JUNIT_FAILURE : CLI_JUNIT_ERROR,
                          limits_change_name(row->change), text);
    } else {
        cli_junit_output(out, text);
    }
    cli_junit_case_end(out);
}

/* A comparison of nothing is one case, an error. */
static void put_nothing(FILE *out, const struct cli_junit_suite *suite,
                        const struct limits_pair *pair)
{
    char message[LIMITS_MESSAGE_BYTES];
    cli_junit_case_begin(out, suite, "comparison");
    cli_junit_problem(out, CLI_JUNIT_ERROR, "not_compared", limits_pair_message(pair, message));
    cli_junit_case_end(out);
}

void limits_pair_print_junit(FILE *out, const void *printed)
{
    const struct limits_pair *pair = printed;
    const struct limits_comparison *comparison = &pair->comparison;
    bool nothing = comparison->row_count == 0;
    const struct cli_junit_suite suite = {
        .command = "limits compare",
        .target = pair->now->target,
        .tests = comparison->row_count + nothing,
        .failures = comparison->worse,
        .errors = comparison->missing + nothing,
    };
    cli_junit_begin(out, &suite);
    for (size_t i = 0; i < comparison->row_count; i++) {
        put_case(out, &suite, pair, &comparison->rows[i]);
    }
    if (nothing) {
        put_nothing(out, &suite, pair);
    }
    cli_junit_end(out);
}
