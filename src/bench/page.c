#include "bench/page.h"

#include "bench/bench_page.h" /* written by inline.py */
#include "bench/report_file.h"
#include "cli/exit.h"
#include "cli/invocation.h"

#include <string.h>

/* ---- data ------------------------------------------------------------------------------------ */

static cJSON *json_check(const struct bench_check *check)
{
    static const char *const units[] = {
        [BENCH_NANOSECONDS] = "ns", [BENCH_PER_SECOND] = "/s", [BENCH_COUNT] = ""};
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "text", check->text);
    cJSON_AddBoolToObject(object, "holds", check->holds);
    cJSON_AddBoolToObject(object, "unproven", check->unproven);
    if (check->threshold != NULL) {
        cJSON_AddStringToObject(object, "metric", check->threshold->metric->name);
        cJSON_AddStringToObject(object, "unit", units[check->threshold->metric->unit]);
        cJSON_AddNumberToObject(object, "limit", check->threshold->limit);
        cJSON_AddStringToObject(object, "value", check->value);
    }
    return object;
}

static void add_run(cJSON *runs, const struct bench_page *page, size_t number)
{
    cJSON *run = bench_report_to_json(page->runs[number]);
    cJSON_AddStringToObject(run, "name", page->names[number] != NULL ? page->names[number] : "");
    cJSON_AddItemToArray(runs, run);
}

static void add_unchecked(cJSON *root, const struct bench_result *result)
{
    cJSON *list = cJSON_AddArrayToObject(root, "unchecked");
    for (size_t i = 0; i < result->unchecked_count; i++) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "version", result->unchecked[i].version);
        cJSON_AddStringToObject(object, "reason", result->unchecked[i].reason);
        cJSON_AddItemToArray(list, object);
    }
}

static char *data_of(const struct bench_page *page)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *runs = cJSON_AddArrayToObject(root, "runs");
    for (size_t i = 0; i < page->run_count; i++) {
        add_run(runs, page, i);
    }
    cJSON *checks = cJSON_AddArrayToObject(root, "checks");
    for (size_t i = 0; page->verdict != NULL && i < page->verdict->count; i++) {
        cJSON_AddItemToArray(checks, json_check(&page->verdict->checks[i]));
    }
    add_unchecked(root, page->runs[0]);
    cJSON *comparisons = cJSON_AddArrayToObject(root, "comparisons");
    for (size_t i = 0; page->comparisons != NULL && i + 1 < page->run_count; i++) {
        cJSON_AddItemToArray(comparisons, bench_compare_to_json(&page->comparisons[i]));
    }
    char *text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    return text;
}

/* ---- headline -------------------------------------------------------------------------------- */

static void headline_of_several(const struct bench_page *page,
                                char out[static BENCH_HEADLINE_BYTES])
{
    unsigned worse = 0;
    for (size_t i = 0; i + 1 < page->run_count; i++) {
        worse += page->comparisons[i].worse;
    }
    char tolerance[16];
    text_format_percent(tolerance, sizeof(tolerance), page->comparisons[0].tolerance);
    if (page->exit_code == EXIT_NO_EVIDENCE) {
        snprintf(out, BENCH_HEADLINE_BYTES,
                 "A report is not valid or lacks figures, so nothing is proven");
    } else if (worse > 0) {
        snprintf(out, BENCH_HEADLINE_BYTES, "%u figure%s worse by more than %s", worse,
                 worse == 1 ? " is" : "s are", tolerance);
    } else {
        snprintf(out, BENCH_HEADLINE_BYTES, "What is judged is within %s", tolerance);
    }
}

static void headline_of_one(const struct bench_page *page, char out[static BENCH_HEADLINE_BYTES])
{
    const struct bench_result *run = page->runs[0];
    const char *invalid = bench_invalid(run);
    size_t missed = page->verdict != NULL ? page->verdict->missed : 0;
    if (run->interrupted_by != 0) {
        snprintf(out, BENCH_HEADLINE_BYTES, "Interrupted; this is what was measured until then");
    } else if (page->exit_code == EXIT_NO_CONNECTION) {
        snprintf(out, BENCH_HEADLINE_BYTES, "No stream was answered: %s",
                 run->cause_count > 0 ? run->causes[0].text : "no reason is known");
    } else if (missed > 0) {
        snprintf(out, BENCH_HEADLINE_BYTES, "%zu of %zu conditions do%s not hold", missed,
                 page->verdict->count, missed == 1 ? "es" : "");
    } else if (invalid != NULL) {
        snprintf(out, BENCH_HEADLINE_BYTES, "Not valid: %s", invalid);
    } else if (page->exit_code == EXIT_NO_EVIDENCE) {
        snprintf(out, BENCH_HEADLINE_BYTES, "Not everything could be checked");
    } else {
        snprintf(out, BENCH_HEADLINE_BYTES,
                 "Every condition holds, and every answer came from where it must");
    }
}

void bench_page_headline(const struct bench_page *page, char out[static BENCH_HEADLINE_BYTES])
{
    (page->run_count > 1 ? headline_of_several : headline_of_one)(page, out);
}

char *bench_page_run_name(const struct bench_page *page, size_t number,
                          char out[static BENCH_RUN_NAME_BYTES])
{
    text_escape(out, BENCH_RUN_NAME_BYTES, page->names[number], strlen(page->names[number]));
    return out;
}

void bench_page_write(FILE *out, const void *written)
{
    const struct bench_page *page = written;
    char headline[BENCH_HEADLINE_BYTES];
    bench_page_headline(page, headline);
    const struct cli_report report = {
        .command = page->command != NULL ? page->command
                   : page->run_count > 1 ? "bench compare"
                                         : "bench",
        .result = cli_result_word(page->exit_code),
        .headline = headline,
        .exit_code = page->exit_code,
    };
    char *data = data_of(page);
    cli_write_page(out, bench_html, &report, data);
    cJSON_free(data);
}
