/* What a result must keep: the limits that were given, and what must not be unless one of them
 * allows it. Pure. */
#ifndef GRPCROUTE_BENCH_JUDGE_H
#define GRPCROUTE_BENCH_JUDGE_H

#include "bench/threshold.h"
#include "cli/options.h"

#define BENCH_CHECKS_MAX  (CLI_LIST_MAX + 16)
#define BENCH_CHECK_BYTES 160

/* One thing that was judged. */
struct bench_check {
    const struct bench_threshold *threshold; /* NULL: it must not be, and no threshold names it */
    char text[BENCH_CHECK_BYTES];            /* "p99<5ms", "3 messages were lost ..." */
    char value[THRESHOLD_SHOWN_BYTES];       /* of a threshold */
    bool holds;
    bool unproven; /* it could not be seen, so that nothing holds */
};

struct bench_verdict {
    struct bench_check checks[BENCH_CHECKS_MAX];
    size_t count;
    size_t missed;
    size_t unproven;
    /* EXIT_GOOD, EXIT_CHECK_FAILED, or EXIT_NO_EVIDENCE when the figures are not valid, or a
     * version or what a threshold is about is not checked. */
    int exit_code;
};

/* "passed", "failed" or "no_evidence". */
const char *bench_check_word(const struct bench_check *check);

/* `thresholds` must outlive the verdict. */
void bench_judge(const struct bench_result *result, const struct bench_threshold *thresholds,
                 size_t threshold_count, struct bench_verdict *ret);

#endif
