/* Results as one HTML page: one of them, or several over each other. */
#ifndef GRPCROUTE_BENCH_PAGE_H
#define GRPCROUTE_BENCH_PAGE_H

#include "bench/compare.h"
#include "bench/judge.h"

#include <stdio.h>

#define BENCH_RUNS_MAX 8 /* that bench compare takes: more lines over each other say nothing */

struct bench_page {
    const struct bench_result *runs[BENCH_RUNS_MAX]; /* borrowed, as all below */
    const char *names[BENCH_RUNS_MAX];               /* of several: their files */
    size_t run_count;
    const struct bench_verdict *verdict;      /* of one; NULL: none was reached */
    const struct role_expectation *expects;   /* of one: who must answer each version; NULL: its report does not say */
    const struct comparison *comparisons;     /* of several: each but the first with the first */
    int exit_code;
};

void bench_page_write(FILE *out, const void *page /* struct bench_page */);

#endif
