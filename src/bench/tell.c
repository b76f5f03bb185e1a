/* A result in every form that was asked for; the longer ones are in files of their own. */
#include "bench/tell.h"

#include "base/text.h"
#include "bench/report_file.h"
#include "bench/tell_impl.h"
#include "cli/exit.h"
#include "cli/invocation.h"
#include "cli/result.h"
#include "cli/terminal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- text ------------------------------------------------------------------------------------ */

static void print_text(FILE *out, const void *told)
{
    const struct bench_page *page = told;
    char name[BENCH_RUN_NAME_BYTES];
    if (page->comparisons == NULL && page->verdict != NULL) {
        bench_report_text(out, page->runs[0]);
    }
    for (size_t i = 0; i < bench_page_comparison_count(page); i++) {
        if (page->run_count > 2) {
            fprintf(out, "%s%s\n", i > 0 ? "\n" : "",
                    cli_readable(bench_page_run_name(page, i + 1, name)));
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
    char name[BENCH_RUN_NAME_BYTES];
    for (size_t i = 0; i < page->run_count; i++) {
        cJSON_AddItemToArray(files, cJSON_CreateString(bench_page_run_name(page, i, name)));
    }
    if (page->run_count == 2) {
        bench_compare_add_json(object, page->comparisons);
        return;
    }
    cJSON *list = cJSON_AddArrayToObject(object, "comparisons");
    for (size_t i = 0; i < bench_page_comparison_count(page); i++) {
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

/* ---- all of them ----------------------------------------------------------------------------- */

int bench_tell(const struct bench_page *page, const struct cli_output_options *outputs)
{
    static const struct cli_printers printers = {
        .text = print_text,
        .json = print_json,
        .markdown = bench_tell_markdown,
        .junit = bench_tell_junit,
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
