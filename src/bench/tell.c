#include "bench/tell.h"

#include "base/text.h"
#include "bench/report_file.h"
#include "cli/exit.h"
#include "cli/invocation.h"
#include "cli/junit.h"
#include "cli/markdown.h"
#include "cli/result.h"
#include "cli/terminal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FIGURE_BYTES 32
#define NAME_BYTES   160
#define TEXT_BYTES   400

/* Who was compared with the first, as it may be shown. */
static char *run_name(const struct bench_page *page, size_t number, char out[static NAME_BYTES])
{
    text_escape(out, NAME_BYTES, page->names[number], strlen(page->names[number]));
    return out;
}

static size_t comparison_count(const struct bench_page *page)
{
    return page->comparisons != NULL ? page->run_count - 1 : 0;
}

/* ---- text ------------------------------------------------------------------------------------ */

static void print_text(FILE *out, const void *told)
{
    const struct bench_page *page = told;
    char name[NAME_BYTES];
    if (page->comparisons == NULL && page->verdict != NULL) {
        bench_report_text(out, page->runs[0]);
    }
    for (size_t i = 0; i < comparison_count(page); i++) {
        if (page->run_count > 2) {
            fprintf(out, "%s%s\n", i > 0 ? "\n" : "", cli_readable(run_name(page, i + 1, name)));
        }
        bench_compare_print_text(out, &page->comparisons[i]);
    }
}

static void print_verdict(const struct bench_page *page)
{
    const struct bench_verdict *verdict = page->verdict;
    for (size_t i = 0; i < verdict->count; i++) {
        const struct bench_check *check = &verdict->checks[i];
        fprintf(stderr, "%s %s%s%s\n",
                cli_mark(check->holds      ? CLI_MARK_GOOD
                         : check->unproven ? CLI_MARK_WARN
                                           : CLI_MARK_BAD),
                check->text, check->threshold != NULL ? ": " : "", check->value);
    }
    for (size_t i = 0; i < page->runs[0]->unchecked_count; i++) {
        const struct bench_unchecked *unchecked = &page->runs[0]->unchecked[i];
        fprintf(stderr, "%s which server answers %s was not checked: %s\n", cli_mark(CLI_MARK_WARN),
                unchecked->version, unchecked->reason);
    }
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void add_threshold(cJSON *list, const struct bench_check *check,
                          const struct bench_result *result)
{
    static const char *const units[] = {
        [BENCH_NANOSECONDS] = "ns", [BENCH_PER_SECOND] = "/s", [BENCH_COUNT] = ""};
    const struct bench_threshold *threshold = check->threshold;
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "threshold", check->text);
    cJSON_AddStringToObject(object, "metric", threshold->metric->name);
    cJSON_AddStringToObject(object, "unit", units[threshold->metric->unit]);
    cJSON_AddItemToObject(object, "value",
                          check->unproven
                              ? cJSON_CreateNull()
                              : cJSON_CreateNumber(bench_metric_value(threshold->metric, result)));
    cJSON_AddNumberToObject(object, "limit", threshold->limit);
    cJSON_AddStringToObject(object, "verdict", bench_check_word(check));
    cJSON_AddItemToArray(list, object);
}

/* The limits that were given, and what must not be and no limit allows. */
static void add_verdict(cJSON *object, const struct bench_page *page)
{
    cJSON *thresholds = cJSON_AddArrayToObject(object, "thresholds");
    cJSON *failures = cJSON_AddArrayToObject(object, "failures");
    for (size_t i = 0; page->verdict != NULL && i < page->verdict->count; i++) {
        const struct bench_check *check = &page->verdict->checks[i];
        if (check->threshold != NULL) {
            add_threshold(thresholds, check, page->runs[0]);
        } else {
            cJSON_AddItemToArray(failures, cJSON_CreateString(check->text));
        }
    }
}

static void add_comparisons(cJSON *object, const struct bench_page *page)
{
    cJSON *files = cJSON_AddArrayToObject(object, "files");
    char name[NAME_BYTES];
    for (size_t i = 0; i < page->run_count; i++) {
        cJSON_AddItemToArray(files, cJSON_CreateString(run_name(page, i, name)));
    }
    if (page->run_count == 2) {
        bench_compare_add_json(object, page->comparisons);
        return;
    }
    cJSON *list = cJSON_AddArrayToObject(object, "comparisons");
    for (size_t i = 0; i < comparison_count(page); i++) {
        cJSON_AddItemToArray(list, bench_compare_to_json(&page->comparisons[i]));
    }
}

static void print_json(cJSON *object, const void *told)
{
    const struct bench_page *page = told;
    if (page->comparisons != NULL) {
        add_comparisons(object, page);
    } else {
        add_verdict(object, page);
        bench_report_add_json(object, page->runs[0]);
    }
}

/* ---- Markdown -------------------------------------------------------------------------------- */

static void put_row(FILE *out, const char *first, const char *second, const char *third)
{
    const char *const cells[] = {first, second, third, NULL};
    cli_markdown_row(out, cells);
}

static void put_figures(FILE *out, const struct bench_result *result)
{
    static const char *const columns[] = {"Figure", "Value", NULL};
    char text[FIGURE_BYTES];
    const struct bench_metric *metric;
    cli_markdown_table(out, "Figures", columns);
    for (size_t i = 0; (metric = bench_metric(i)) != NULL; i++) {
        put_row(out, metric->name, bench_metric_text(metric, result, text), NULL);
    }
    snprintf(text, sizeof(text), "%" PRIu64, result->answered);
    put_row(out, "answered", text, NULL);
}

static void put_thresholds(FILE *out, const struct bench_verdict *verdict)
{
    static const char *const columns[] = {"Verdict", "Threshold", "Value", NULL};
    if (verdict->count > 0) {
        cli_markdown_table(out, "Thresholds", columns);
    }
    for (size_t i = 0; i < verdict->count; i++) {
        put_row(out, bench_check_word(&verdict->checks[i]), verdict->checks[i].text,
                verdict->checks[i].value);
    }
}

static void put_unchecked(FILE *out, const struct bench_result *result)
{
    static const char *const columns[] = {"Version", "Not checked", NULL};
    if (result->unchecked_count > 0) {
        cli_markdown_table(out, "Who must answer", columns);
    }
    for (size_t i = 0; i < result->unchecked_count; i++) {
        put_row(out, result->unchecked[i].version, result->unchecked[i].reason, NULL);
    }
}

static void put_causes(FILE *out, const struct bench_result *result)
{
    static const char *const columns[] = {"Count", "Error", NULL};
    char text[FIGURE_BYTES];
    if (result->cause_count > 0) {
        cli_markdown_table(out, "Errors", columns);
    }
    for (size_t i = 0; i < result->cause_count; i++) {
        snprintf(text, sizeof(text), "%" PRIu64, result->causes[i].count);
        put_row(out, text, result->causes[i].text, NULL);
    }
}

static void put_comparison(FILE *out, const struct bench_page *page, size_t number)
{
    static const char *const columns[] = {"Figure", "Before", "Now", "Ratio", "Verdict", NULL};
    const struct bench_comparison *comparison = &page->comparisons[number];
    char name[NAME_BYTES];
    fprintf(out, "\n");
    cli_markdown_text(out, run_name(page, number + 1, name));
    cli_markdown_table(out, "Comparison", columns);
    for (size_t i = 0; i < comparison->row_count; i++) {
        const struct bench_compare_row *row = &comparison->rows[i];
        char figures[3][COMPARE_FIGURE_BYTES];
        bool is_blind = row->before_is_blind || row->now_is_blind;
        snprintf(name, sizeof(name), "%s %s", row->name, row->unit);
        const char *const cells[] = {
            name,
            bench_compare_figure(row->before, row->before_is_blind, figures[0]),
            bench_compare_figure(row->now, row->now_is_blind, figures[1]),
            bench_compare_figure(row->ratio, is_blind, figures[2]),
            bench_compare_row_word(row),
            NULL};
        cli_markdown_row(out, cells);
    }
}

static void print_markdown(FILE *out, const void *told)
{
    const struct bench_page *page = told;
    for (size_t i = 0; i < comparison_count(page); i++) {
        put_comparison(out, page, i);
    }
    if (page->comparisons == NULL) {
        if (page->verdict != NULL) {
            put_thresholds(out, page->verdict);
            put_figures(out, page->runs[0]);
        }
        put_unchecked(out, page->runs[0]);
        put_causes(out, page->runs[0]);
    }
}

/* ---- JUnit ----------------------------------------------------------------------------------- */

/* The cases of a suite, written as they are judged, and counted. */
struct cases {
    struct cli_junit_suite suite;
    FILE *out;
};

static void begin_case(struct cases *cases, const char *name, enum cli_junit_result result,
                       const char *type, const char *text)
{
    cases->suite.tests++;
    cases->suite.failures += result == CLI_JUNIT_FAILURE;
    cases->suite.errors += result == CLI_JUNIT_ERROR;
    cli_junit_case_begin(cases->out, &cases->suite, name);
    if (result != CLI_JUNIT_PASSED) {
        cli_junit_problem(cases->out, result, type, text);
    }
}

static void put_case(struct cases *cases, const char *name, enum cli_junit_result result,
                     const char *type, const char *text)
{
    begin_case(cases, name, result, type, text);
    cli_junit_output(cases->out, result == CLI_JUNIT_PASSED ? text : NULL);
    cli_junit_case_end(cases->out);
}

/* What the load was, and each error with its number. */
static void put_load_case(struct cases *cases, const struct bench_page *page)
{
    const struct bench_result *result = page->runs[0];
    char headline[BENCH_HEADLINE_BYTES];
    char lines[BENCH_HEADLINE_BYTES + BENCH_CAUSES_MAX * (BENCH_CAUSE_BYTES + FIGURE_BYTES)];
    bench_page_headline(page, headline);
    bool judged = page->exit_code == EXIT_GOOD || page->exit_code == EXIT_CHECK_FAILED;
    begin_case(cases, "load", judged ? CLI_JUNIT_PASSED : CLI_JUNIT_ERROR,
               cli_result_word(page->exit_code), headline);
    size_t len = (size_t)snprintf(lines, sizeof(lines), "%s", headline);
    for (size_t i = 0; i < result->cause_count; i++) {
        char cause[BENCH_CAUSE_BYTES];
        snprintf(cause, sizeof(cause), "%s", result->causes[i].text);
        text_make_readable(cause);
        len += (size_t)snprintf(lines + len, sizeof(lines) - len, "\n%" PRIu64 " x %s",
                                result->causes[i].count, cause);
    }
    cli_junit_output(cases->out, lines);
    cli_junit_case_end(cases->out);
}

static void put_load_cases(struct cases *cases, const struct bench_page *page)
{
    put_load_case(cases, page);
    for (size_t i = 0; page->verdict != NULL && i < page->verdict->count; i++) {
        const struct bench_check *check = &page->verdict->checks[i];
        char text[TEXT_BYTES];
        snprintf(text, sizeof(text), "%s%s%s", check->text, check->threshold != NULL ? ": " : "",
                 check->value);
        put_case(cases, check->text,
                 check->holds      ? CLI_JUNIT_PASSED
                 : check->unproven ? CLI_JUNIT_ERROR
                                   : CLI_JUNIT_FAILURE,
                 check->threshold != NULL ? check->threshold->metric->name : "not_allowed", text);
    }
    for (size_t i = 0; i < page->runs[0]->unchecked_count; i++) {
        const struct bench_unchecked *unchecked = &page->runs[0]->unchecked[i];
        char name[NAME_BYTES];
        snprintf(name, sizeof(name), "server of %s", unchecked->version);
        put_case(cases, name, CLI_JUNIT_ERROR, "not_checked", unchecked->reason);
    }
}

static void put_comparison_cases(struct cases *cases, const struct bench_page *page, size_t number)
{
    const struct bench_comparison *comparison = &page->comparisons[number];
    char run[NAME_BYTES];
    char name[2 * NAME_BYTES];
    char text[TEXT_BYTES];
    char tolerance[16];
    run_name(page, number + 1, run);
    for (size_t i = 0; i < comparison->row_count; i++) {
        const struct bench_compare_row *row = &comparison->rows[i];
        if (row->decides) {
            snprintf(name, sizeof(name), "%s %s", run, row->name);
            snprintf(text, sizeof(text), "before %.2f %s, now %.2f %s, ratio %.2f, tolerance %s",
                     row->before, row->unit, row->now, row->unit, row->ratio,
                     text_format_percent(tolerance, sizeof(tolerance), comparison->tolerance));
            put_case(cases, name,
                     row->missing ? CLI_JUNIT_ERROR
                     : row->worse ? CLI_JUNIT_FAILURE
                                  : CLI_JUNIT_PASSED,
                     row->name, row->missing ? "one of the two has no figures of it" : text);
        }
    }
}

static void print_junit(FILE *out, const void *told)
{
    const struct bench_page *page = told;
    char *text = NULL;
    size_t len = 0;
    struct cases cases = {
        .suite = {.command = page->command,
                  .target = page->comparisons == NULL ? page->runs[0]->setup.target : "none"},
        .out = open_memstream(&text, &len)};
    if (cases.out == NULL) {
        return;
    }
    if (page->comparisons == NULL) {
        cases.suite.duration_ns = page->runs[0]->seconds_ns;
        put_load_cases(&cases, page);
    } else if (page->exit_code == EXIT_NO_EVIDENCE) {
        put_case(&cases, "reports", CLI_JUNIT_ERROR, "no_evidence", "a report is not valid");
    }
    for (size_t i = 0; i < comparison_count(page); i++) {
        put_comparison_cases(&cases, page, i);
    }
    fclose(cases.out);
    cli_junit_begin(out, &cases.suite);
    fputs(text, out);
    cli_junit_end(out);
    free(text);
}

/* ---- all of them ----------------------------------------------------------------------------- */

int bench_tell(const struct bench_page *page, const struct cli_output_options *outputs)
{
    static const struct cli_printers printers = {
        .text = print_text,
        .json = print_json,
        .markdown = print_markdown,
        .junit = print_junit,
        .page = bench_page_write,
    };
    char headline[BENCH_HEADLINE_BYTES];
    bench_page_headline(page, headline);
    const struct cli_result result = {
        .command = page->command,
        .target = page->comparisons == NULL ? page->runs[0]->setup.target : NULL,
        .exit_code = page->exit_code,
        .message = headline,
    };
    int rv = cli_result_tell(&result, &printers, page, outputs);
    if (page->verdict != NULL) {
        print_verdict(page);
    }
    return rv;
}
