#include "bench/judge.h"

#include "cli/exit.h"
#include "cli/invocation.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

const char *bench_check_word(const struct bench_check *check)
{
    return cli_result_word(check->holds      ? EXIT_GOOD
                           : check->unproven ? EXIT_NO_EVIDENCE
                                             : EXIT_CHECK_FAILED);
}

static struct bench_check *add(struct bench_verdict *verdict, bool holds)
{
    assert(verdict->count < BENCH_CHECKS_MAX);
    struct bench_check *check = &verdict->checks[verdict->count++];
    check->holds = holds;
    verdict->missed += !holds;
    return check;
}

/* These fail whatever is allowed. */
static void judge_answers(const struct bench_result *result, struct bench_verdict *verdict)
{
    if (result->misrouted > 0 || result->moved > 0) {
        snprintf(add(verdict, false)->text, BENCH_CHECK_BYTES,
                 "messages were answered by the wrong server");
    }
}

static void judge_unnamed(const struct bench_result *result,
                          const struct bench_threshold *thresholds, size_t threshold_count,
                          struct bench_verdict *verdict)
{
    const struct bench_metric *metric;
    for (size_t i = 0; (metric = bench_metric(i)) != NULL; i++) {
        if (bench_threshold_is_missed(metric, thresholds, threshold_count, result)) {
            snprintf(add(verdict, false)->text, BENCH_CHECK_BYTES,
                     "%.0f %s (allow it with --threshold '%s<=N')",
                     bench_metric_value(metric, result), metric->must_not, metric->name);
        }
    }
}

/* What could not be seen is no zero. */
static void judge_threshold(const struct bench_result *result,
                            const struct bench_threshold *threshold, struct bench_verdict *verdict)
{
    char value[THRESHOLD_SHOWN_BYTES];
    bool holds = bench_threshold_holds(threshold, result, value);
    bool unproven = holds && bench_threshold_is_blind(threshold, result);
    struct bench_check *check = add(verdict, holds);
    check->threshold = threshold;
    snprintf(check->value, sizeof(check->value), "%s", unproven ? "not checked" : value);
    snprintf(check->text, sizeof(check->text), "%s", threshold->text);
    if (unproven) {
        check->holds = false;
        check->unproven = true;
        verdict->unproven++;
    }
}

void bench_judge(const struct bench_result *result, const struct bench_threshold *thresholds,
                 size_t threshold_count, struct bench_verdict *ret)
{
    memset(ret, 0, sizeof(*ret));
    judge_answers(result, ret);
    for (size_t i = 0; i < threshold_count; i++) {
        judge_threshold(result, &thresholds[i], ret);
    }
    judge_unnamed(result, thresholds, threshold_count, ret);
    bool unproven =
        bench_invalid(result) != NULL || result->unchecked_count > 0 || ret->unproven > 0;
    ret->exit_code = ret->missed > 0 ? EXIT_CHECK_FAILED : unproven ? EXIT_NO_EVIDENCE : EXIT_GOOD;
}
