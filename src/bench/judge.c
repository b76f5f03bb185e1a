#include "bench/judge.h"

#include "cli/exit.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

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

static void judge_unnamed(const struct bench_result *result, const struct threshold *thresholds,
                          size_t threshold_count, struct bench_verdict *verdict)
{
    const struct bench_metric *metric;
    for (size_t i = 0; (metric = bench_metric(i)) != NULL; i++) {
        if (threshold_is_missed(metric, thresholds, threshold_count, result)) {
            snprintf(add(verdict, false)->text, BENCH_CHECK_BYTES,
                     "%.0f %s (allow it with --threshold '%s<=N')",
                     bench_metric_value(metric, result), metric->must_not, metric->name);
        }
    }
}

void bench_judge(const struct bench_result *result, const struct threshold *thresholds,
                 size_t threshold_count, struct bench_verdict *ret)
{
    memset(ret, 0, sizeof(*ret));
    judge_answers(result, ret);
    for (size_t i = 0; i < threshold_count; i++) {
        char value[THRESHOLD_SHOWN_BYTES];
        struct bench_check *check = add(ret, threshold_holds(&thresholds[i], result, value));
        check->threshold = &thresholds[i];
        memcpy(check->value, value, sizeof(value));
        snprintf(check->text, sizeof(check->text), "%s", thresholds[i].text);
    }
    judge_unnamed(result, thresholds, threshold_count, ret);
    ret->exit_code = ret->missed > 0                 ? EXIT_CHECK_FAILED
                     : bench_invalid(result) != NULL ? EXIT_NO_EVIDENCE
                     : result->unchecked_count > 0   ? EXIT_NO_EVIDENCE
                                                     : EXIT_GOOD;
}
