/* A result as JUnit: a case for the load, each threshold and each figure that was compared. */
#include "base/text.h"
#include "bench/page.h"
#include "bench/tell_impl.h"
#include "cli/exit.h"
#include "cli/invocation.h"
#include "cli/junit.h"
#include "cli/result.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FIGURE_BYTES 32
#define TEXT_BYTES   400

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
        char name[BENCH_RUN_NAME_BYTES];
        snprintf(name, sizeof(name), "server of %s", unchecked->version);
        put_case(cases, name, CLI_JUNIT_ERROR, "not_checked", unchecked->reason);
    }
}

static void put_comparison_cases(struct cases *cases, const struct bench_page *page, size_t number)
{
    const struct bench_comparison *comparison = &page->comparisons[number];
    char run[BENCH_RUN_NAME_BYTES];
    char name[2 * BENCH_RUN_NAME_BYTES];
    char text[TEXT_BYTES];
    char tolerance[16];
    bench_page_run_name(page, number + 1, run);
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

void bench_tell_junit(FILE *out, const void *told)
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
        put_load_cases(&cases, page);
    } else if (page->exit_code == EXIT_NO_EVIDENCE) {
        put_case(&cases, "reports", CLI_JUNIT_ERROR, "no_evidence", "a report is not valid");
    }
    for (size_t i = 0; i < bench_page_comparison_count(page); i++) {
        put_comparison_cases(&cases, page, i);
    }
    fclose(cases.out);
    cli_junit_begin(out, &cases.suite);
    fputs(text, out);
    cli_junit_end(out);
    free(text);
}
