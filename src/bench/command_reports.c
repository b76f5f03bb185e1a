/* `grpcroute bench merge` and `bench compare`: what files of reports say together. */
#include "bench/command_impl.h"

#include "base/mem.h"
#include "bench/compare.h"
#include "bench/judge.h"
#include "bench/page.h"
#include "bench/report.h"
#include "bench/tell.h"
#include "cli/exit.h"
#include "cli/terminal.h"
#include "role/input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Standard input can be read to its end once. */
static int check_files(int argc, char **argv)
{
    int dashes = 0;
    for (int i = 0; i < argc; i++) {
        dashes += strcmp(argv[i], "-") == 0;
    }
    if (dashes > 1) {
        cli_error("bench", "-: standard input can be read only once");
    }
    return dashes > 1;
}

/* Returns 0 with a result that the caller owns, or an exit code and NULL. */
static int read_report(const char *path, struct bench_result **ret)
{
    char reason[REPORT_REASON_BYTES];
    struct bench_result *result = mem_new(struct bench_result);
    int rv = bench_report_read(path, result, reason);
    if (rv != 0) {
        cli_error("bench", "%s: %s", path, reason);
        free(result);
        result = NULL;
    }
    *ret = result;
    return rv;
}

/* Adds the reports of a file to those of the files before it. Returns an exit code. */
static int add_file(const char *path, struct bench_result *sum)
{
    struct bench_result *one;
    int rv = read_report(path, &one);
    if (rv != EXIT_GOOD) {
        return rv;
    }
    if (bench_shares_report(sum, one)) {
        cli_error("bench",
                  "%s: holds a report that a file before it holds, too; it counts once: take one "
                  "of them out",
                  path);
        rv = EXIT_USAGE;
    } else {
        bench_merge(sum, one);
    }
    bench_result_deinit(one);
    free(one);
    return rv;
}

int bench_merge_files(const struct bench_options *options, const struct bench_threshold *thresholds,
                      int argc, char **argv)
{
    if (argc == 0) {
        cli_error("bench", "merge: expected the files of reports made with bench -o json");
    }
    if (argc == 0 || check_files(argc, argv) != 0 ||
        role_input_refuse_twice("bench", "merge", (const char *const *)argv, (size_t)argc) != 0) {
        return EXIT_USAGE;
    }
    struct bench_result *sum;
    int rv = read_report(argv[0], &sum);
    for (int i = 1; i < argc && rv == EXIT_GOOD; i++) {
        rv = add_file(argv[i], sum);
    }
    if (rv == EXIT_GOOD) {
        struct bench_verdict verdict;
        bench_judge(sum, thresholds, options->thresholds.count, &verdict);
        const struct bench_page page = {
            .command = "bench merge",
            .runs = {sum},
            .run_count = 1,
            .verdict = &verdict,
            .exit_code = verdict.exit_code,
        };
        rv = bench_tell(&page, &options->report);
    }
    if (sum != NULL) {
        bench_result_deinit(sum);
        free(sum);
    }
    return rv;
}

/* Figures that are not to be trusted prove nothing, on either side. */
static int check_valid(const char *path, const struct bench_result *result)
{
    const char *invalid = bench_invalid(result);
    if (invalid != NULL) {
        fprintf(stderr, "%s %s is not valid: %s\n", cli_mark(CLI_MARK_BAD), path, invalid);
    }
    return invalid != NULL;
}

/* Each with the first. */
static int show_comparison(const struct bench_options *options, char **paths,
                           struct bench_page *page)
{
    struct bench_comparison comparisons[BENCH_RUNS_MAX];
    int invalid = check_valid(paths[0], page->runs[0]);
    unsigned worse = 0;
    unsigned missing = 0;
    for (size_t i = 1; i < page->run_count; i++) {
        struct bench_comparison *comparison = &comparisons[i - 1];
        bench_compare_results(page->runs[0], page->runs[i], options->metrics,
                              (double)options->tolerance_percent / 100, comparison);
        worse += comparison->worse;
        missing += comparison->missing;
        invalid += check_valid(paths[i], page->runs[i]);
    }
    page->comparisons = comparisons;
    page->exit_code = worse > 0                    ? EXIT_CHECK_FAILED
                      : invalid > 0 || missing > 0 ? EXIT_NO_EVIDENCE
                                                   : EXIT_GOOD;
    return bench_tell(page, &options->report);
}

static int check_compare(const struct bench_options *options, int argc, char **argv)
{
    char unknown[32];
    if (argc < 2 || argc > BENCH_RUNS_MAX) {
        cli_error("bench",
                  "compare: expected two to %d files of reports made with bench -o json: before "
                  "and now",
                  BENCH_RUNS_MAX);
        return EXIT_USAGE;
    }
    if (bench_compare_check_metrics(options->metrics, unknown) != 0) {
        cli_error("bench", "--metric: \"%s\" is no figure; expected some of " COMPARE_METRICS,
                  unknown);
        return EXIT_USAGE;
    }
    return check_files(argc, argv);
}

int bench_compare_files(const struct bench_options *options, int argc, char **argv)
{
    if (check_compare(options, argc, argv) != 0) {
        return EXIT_USAGE;
    }
    struct bench_result *results[BENCH_RUNS_MAX] = {NULL};
    struct bench_page page = {.command = "bench compare", .run_count = (size_t)argc};
    int rv = EXIT_GOOD;
    for (int i = 0; i < argc && rv == EXIT_GOOD; i++) {
        rv = read_report(argv[i], &results[i]);
        page.runs[i] = results[i];
        page.names[i] = argv[i];
    }
    rv = rv == EXIT_GOOD ? show_comparison(options, argv, &page) : rv;
    for (int i = 0; i < argc; i++) {
        if (results[i] != NULL) {
            bench_result_deinit(results[i]);
            free(results[i]);
        }
    }
    return rv;
}
