/* A result as Markdown. */
#include "bench/page.h"
#include "bench/tell_impl.h"
#include "cli/markdown.h"

#include <inttypes.h>

#define FIGURE_BYTES 32

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
    char name[BENCH_RUN_NAME_BYTES];
    fprintf(out, "\n");
    cli_markdown_text(out, bench_page_run_name(page, number + 1, name));
    cli_markdown_table(out, "Comparison", columns);
    for (size_t i = 0; i < comparison->row_count; i++) {
        const struct bench_compare_row *row = &comparison->rows[i];
        char figures[3][COMPARE_FIGURE_BYTES];
        bool is_blind = row->before_is_blind || row->now_is_blind;
        snprintf(name, sizeof(name), "%s %s", row->name, row->unit);
        const char *const cells[] = {
            name,
            bench_compare_figure(row, row->before, row->before_is_blind, figures[0]),
            bench_compare_figure(row, row->now, row->now_is_blind, figures[1]),
            bench_compare_figure(row, row->ratio, is_blind, figures[2]),
            bench_compare_row_word(row),
            NULL};
        cli_markdown_row(out, cells);
    }
}

void bench_tell_markdown(FILE *out, const void *told)
{
    const struct bench_page *page = told;
    for (size_t i = 0; i < bench_page_comparison_count(page); i++) {
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
