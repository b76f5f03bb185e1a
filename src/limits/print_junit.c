/* The result as JUnit XML: a case for each shape and for each promise. A limit is no failure, a
 * broken promise is one. */
#include "cli/exit.h"
#include "cli/junit.h"
#include "limits/print.h"
#include "limits/report.h"
#include "limits/words.h"

#define OUTPUT_BYTES (3 * LIMITS_TEXT_BYTES + LIMITS_SETTINGS_MAX * 160)

/* Lines of all that is known. */
static void describe(const struct limits_finding *finding, char out[static OUTPUT_BYTES])
{
    char found[LIMITS_FOUND_BYTES];
    char ended_by[LIMITS_FOUND_BYTES];
    const char *by = limits_ended_by_text(finding, ended_by);
    const char *server = finding->sample_count > 0 ? finding->samples[0].server_saw : "";
    size_t len = (size_t)snprintf(
        out, OUTPUT_BYTES, "%s: %s\n%s%s%s%s%s%s%s%s", limits_shape_text(finding->shape),
        limits_found_text(finding, true, found), by[0] != '\0' ? "ended by: " : "", by,
        by[0] != '\0' ? "\n" : "", finding->look, finding->look[0] != '\0' ? "\n" : "",
        finding->why, finding->why[0] != '\0' ? "\n" : "", server);
    for (size_t i = 0; i < finding->setting_count && len < OUTPUT_BYTES; i++) {
        const struct limits_setting *setting = finding->settings[i];
        len += (size_t)snprintf(out + len, OUTPUT_BYTES - len, "\n%s %s (%s): %s", setting->program,
                                setting->name, setting->usual, setting->mend);
    }
}

/* What says nothing is an error; where a contract says what matters, its own cases do. */
static bool is_error(const struct limits_report *report, const struct limits_finding *finding)
{
    return finding->state == LIMITS_NOT_MEASURED && report->contract == NULL &&
           limits_report_exit_code(report) != EXIT_GOOD;
}

static void put_shape(FILE *out, const struct cli_junit_suite *suite,
                      const struct limits_report *report, const struct limits_finding *finding)
{
    char text[OUTPUT_BYTES];
    describe(finding, text);
    cli_junit_case_begin(out, suite, limits_shape_name(finding->shape));
    if (is_error(report, finding)) {
        cli_junit_problem(out, CLI_JUNIT_ERROR, "not_measured", finding->why);
    }
    cli_junit_output(out, text);
    cli_junit_case_end(out);
}

static void put_promise(FILE *out, const struct cli_junit_suite *suite,
                        const struct limits_report *report, const struct limits_promise *promise)
{
    char why[LIMITS_TEXT_BYTES];
    enum limits_verdict verdict = limits_promise_judge(promise, report->result, why);
    cli_junit_case_begin(out, suite, promise->text);
    if (verdict == LIMITS_KEPT) {
        cli_junit_output(out, why);
    } else {
        cli_junit_problem(out, verdict == LIMITS_BROKEN ? CLI_JUNIT_FAILURE : CLI_JUNIT_ERROR,
                          limits_verdict_name(verdict), why);
    }
    cli_junit_case_end(out);
}

/* A case of its own for a run that has no result, or not all of it. */
static bool is_cut_short(const struct limits_result *result)
{
    return !result->connected || result->interrupted_by != 0;
}

static void put_run(FILE *out, const struct cli_junit_suite *suite,
                    const struct limits_report *report)
{
    char message[LIMITS_MESSAGE_BYTES];
    const char *type = report->result->interrupted_by != 0 ? "interrupted" : "not_connected";
    cli_junit_case_begin(out, suite, "run");
    cli_junit_problem(out, CLI_JUNIT_ERROR, type, limits_report_message(report, message));
    cli_junit_case_end(out);
}

static void count_cases(const struct limits_report *report, struct cli_junit_suite *suite)
{
    const struct limits_result *result = report->result;
    suite->tests = suite->errors = is_cut_short(result);
    for (size_t i = 0; i < LIMITS_SHAPES && result->connected; i++) {
        suite->tests += result->findings[i].wanted;
        suite->errors += result->findings[i].wanted && is_error(report, &result->findings[i]);
    }
    if (report->contract != NULL && result->connected) {
        suite->tests += report->contract->count;
        suite->failures += limits_contract_count(report->contract, result, LIMITS_BROKEN);
        suite->errors += limits_contract_count(report->contract, result, LIMITS_NOT_CHECKED);
    }
}

void limits_print_junit(FILE *out, const void *printed)
{
    const struct limits_report *report = printed;
    const struct limits_result *result = report->result;
    struct cli_junit_suite suite = {.command = "limits", .target = result->target};
    count_cases(report, &suite);
    cli_junit_begin(out, &suite);
    if (is_cut_short(result)) {
        put_run(out, &suite, report);
    }
    for (size_t i = 0; i < LIMITS_SHAPES && result->connected; i++) {
        if (result->findings[i].wanted) {
            put_shape(out, &suite, report, &result->findings[i]);
        }
    }
    for (size_t i = 0; report->contract != NULL && result->connected && i < report->contract->count;
         i++) {
        put_promise(out, &suite, report, &report->contract->promises[i]);
    }
    cli_junit_end(out);
}
