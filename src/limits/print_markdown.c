/* The result for the pages of CI jobs. */
#include "cli/markdown.h"
#include "limits/print.h"
#include "limits/report.h"
#include "limits/words.h"

#include <string.h>

#define CELL_BYTES (LIMITS_SETTINGS_MAX * 160)

static void put_limit(FILE *out, const struct limits_finding *finding)
{
    char found[LIMITS_FOUND_BYTES];
    char ended_by[LIMITS_FOUND_BYTES];
    bool told = finding->state == LIMITS_NOT_MEASURED || finding->state == LIMITS_UNSTEADY;
    const char *const cells[] = {
        limits_shape_name(finding->shape),       limits_shape_text(finding->shape),
        limits_found_text(finding, true, found), limits_ended_by_text(finding, ended_by),
        told ? finding->why : finding->look,     NULL};
    cli_markdown_row(out, cells);
}

static void put_settings(FILE *out, const struct limits_finding *finding)
{
    char settings[CELL_BYTES] = "";
    size_t len = 0;
    for (size_t i = 0; i < finding->setting_count && len < sizeof(settings); i++) {
        const struct limits_setting *setting = finding->settings[i];
        len += (size_t)snprintf(settings + len, sizeof(settings) - len, "%s%s %s (%s): %s",
                                i > 0 ? "; " : "", setting->program, setting->name, setting->usual,
                                setting->mend);
    }
    const char *const cells[] = {limits_shape_name(finding->shape),
                                 finding->sample_count > 0 ? finding->samples[0].server_saw : "",
                                 settings, finding->advice, NULL};
    cli_markdown_row(out, cells);
}

static void put_notable(FILE *out, const struct limits_result *result)
{
    static const char *const columns[] = {"Shape", "The server saw", "Settings", "To set", NULL};
    size_t rows = 0;
    for (size_t i = 0; i < LIMITS_SHAPES; i++) {
        const struct limits_finding *finding = &result->findings[i];
        if (finding->wanted && limits_is_notable(finding) && finding->state != LIMITS_BY_OTHER) {
            if (rows++ == 0) {
                cli_markdown_table(out, "What they are", columns);
            }
            put_settings(out, finding);
        }
    }
}

static void put_contract(FILE *out, const struct limits_report *report)
{
    static const char *const columns[] = {"Verdict", "Promise", "Line", "Evidence", NULL};
    cli_markdown_table(out, "Contract", columns);
    for (size_t i = 0; i < report->contract->count; i++) {
        const struct limits_promise *promise = &report->contract->promises[i];
        char why[LIMITS_TEXT_BYTES];
        char line[16];
        enum limits_verdict verdict = limits_promise_judge(promise, report->result, why);
        snprintf(line, sizeof(line), "%u", promise->line);
        const char *const cells[] = {limits_verdict_name(verdict), promise->text, line, why, NULL};
        cli_markdown_row(out, cells);
    }
}

void limits_print_markdown(FILE *out, const void *printed)
{
    static const char *const columns[] = {"Shape",    "What",          "Found",
                                          "Ended by", "How it looked", NULL};
    const struct limits_report *report = printed;
    if (!report->result->connected) {
        return;
    }
    if (report->contract != NULL) {
        put_contract(out, report);
    }
    cli_markdown_table(out, "Limits", columns);
    for (size_t i = 0; i < LIMITS_SHAPES; i++) {
        if (report->result->findings[i].wanted) {
            put_limit(out, &report->result->findings[i]);
        }
    }
    put_notable(out, report->result);
}
