/* Results as one HTML page: one of them, or several over each other. */
#ifndef GRPCROUTE_BENCH_PAGE_H
#define GRPCROUTE_BENCH_PAGE_H

#include "bench/compare.h"
#include "bench/judge.h"

#include <stdio.h>

#define BENCH_RUNS_MAX 8 /* that bench compare takes: more lines over each other say nothing */

struct bench_page {
    const char *command; /* "bench", "bench merge", "bench compare"; NULL: the first or the last */
    const struct bench_result *runs[BENCH_RUNS_MAX]; /* borrowed, as all below */
    const char *names[BENCH_RUNS_MAX];               /* of several: their files */
    size_t run_count;
    const struct bench_verdict *verdict;        /* of one; NULL: none was reached */
    const struct bench_comparison *comparisons; /* of several: each but the first with the first */
    int exit_code;
};

/* How many of those. */
static inline size_t bench_page_comparison_count(const struct bench_page *page)
{
    return page->comparisons != NULL ? page->run_count - 1 : 0;
}

#define BENCH_HEADLINE_BYTES 320
#define BENCH_RUN_NAME_BYTES 160

/* The result in a sentence. */
void bench_page_headline(const struct bench_page *page, char out[static BENCH_HEADLINE_BYTES]);

/* Who was compared with the first, as it may be shown; returns `out`. */
char *bench_page_run_name(const struct bench_page *page, size_t number,
                          char out[static BENCH_RUN_NAME_BYTES]);

void bench_page_write(FILE *out, const void *page /* struct bench_page */);

#endif
