/* Holds a contract against what was found. */
#include "base/mem.h"
#include "base/text.h"
#include "limits/contract.h"
#include "limits/words.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

const char *limits_verdict_name(enum limits_verdict verdict)
{
    static const char *const names[] = {
        [LIMITS_KEPT] = "kept",
        [LIMITS_BROKEN] = "broken",
        [LIMITS_NOT_CHECKED] = "not_checked",
    };
    assert(verdict < ARRAY_SIZE(names));
    return names[verdict];
}

/* ---- values ---------------------------------------------------------------------------------- */

/* A lifetime may be off by `resolution` either way. */
static enum limits_verdict judge_measured(bool less, uint64_t value, uint64_t resolution,
                                          uint64_t promised)
{
    uint64_t least = value > resolution ? value - resolution : 0;
    uint64_t most = value < UINT64_MAX - resolution ? value + resolution : UINT64_MAX;
    if (less) {
        return most <= promised   ? LIMITS_KEPT
               : least > promised ? LIMITS_BROKEN
                                  : LIMITS_NOT_CHECKED;
    }
    return least >= promised ? LIMITS_KEPT : most < promised ? LIMITS_BROKEN : LIMITS_NOT_CHECKED;
}

/* What was tried: `value` was taken, and what lies `resolution` beyond it was not. */
static enum limits_verdict judge_tried(bool less, uint64_t value, uint64_t resolution,
                                       uint64_t promised)
{
    uint64_t step = resolution > 0 ? resolution : 1;
    if (less) {
        return promised >= value                           ? LIMITS_KEPT
               : value <= step || promised <= value - step ? LIMITS_BROKEN
                                                           : LIMITS_NOT_CHECKED;
    }
    return promised <= value          ? LIMITS_KEPT
           : promised - value >= step ? LIMITS_BROKEN
                                      : LIMITS_NOT_CHECKED;
}

static enum limits_verdict judge_value(enum limits_shape shape, uint64_t value, uint64_t resolution,
                                       uint64_t promised)
{
    bool measured = shape == LIMITS_BUFFERED ||
                    (limits_shape_kind(shape) == LIMITS_DURATION && shape != LIMITS_PING_INTERVAL);
    return measured ? judge_measured(limits_less_is_better(shape), value, resolution, promised)
                    : judge_tried(limits_less_is_better(shape), value, resolution, promised);
}

/* ---- states ---------------------------------------------------------------------------------- */

static enum limits_verdict judge_found(const struct limits_promise *promise,
                                       const struct limits_finding *finding,
                                       char why[static LIMITS_TEXT_BYTES])
{
    char found[LIMITS_FOUND_BYTES];
    char ended_by[LIMITS_FOUND_BYTES];
    const char *text = limits_found_text(finding, false, found);
    const char *by = limits_ended_by_text(finding, ended_by);
    enum limits_verdict verdict =
        finding->value != LIMITS_VALUE_NONE
            ? judge_value(finding->shape, finding->value, finding->resolution, promise->value)
        : promise->value <= finding->looked ? LIMITS_BROKEN
                                            : LIMITS_NOT_CHECKED;
    const char *open = finding->value == LIMITS_VALUE_NONE
                           ? ", longer ones were not tried; look with a longer --within"
                           : ", too near to what is promised to tell";
    snprintf(why, LIMITS_TEXT_BYTES, "found %s%s%s%s%s", text, by[0] != '\0' ? " (" : "", by,
             by[0] != '\0' ? ")" : "", verdict == LIMITS_NOT_CHECKED ? open : "");
    return verdict;
}

/* Nothing was met as far as was looked. */
static enum limits_verdict judge_none(const struct limits_promise *promise,
                                      const struct limits_finding *finding,
                                      char why[static LIMITS_TEXT_BYTES])
{
    char found[LIMITS_FOUND_BYTES];
    bool less = limits_less_is_better(finding->shape);
    bool far_enough = less ? finding->looked <= promise->value : finding->looked >= promise->value;
    const char *text = limits_found_text(finding, false, found);
    if (finding->shape == LIMITS_BUFFERED) { /* the path never stopped to take */
        snprintf(why, LIMITS_TEXT_BYTES, "%s", text);
        return far_enough ? LIMITS_NOT_CHECKED : LIMITS_BROKEN;
    }
    if (far_enough) {
        snprintf(why, LIMITS_TEXT_BYTES, "%s", text);
        return LIMITS_KEPT;
    }
    if (finding->kind == LIMITS_DURATION && !less) {
        snprintf(why, LIMITS_TEXT_BYTES, "%s, which says nothing of longer; look with --within %s",
                 text, strrchr(promise->text, ' ') + 1);
    } else {
        snprintf(why, LIMITS_TEXT_BYTES, "%s, which is as far as was looked", text);
    }
    return LIMITS_NOT_CHECKED;
}

static enum limits_verdict judge_sample(const struct limits_promise *promise,
                                        const struct limits_sample *sample)
{
    if (!sample->opened) {
        return LIMITS_NOT_CHECKED;
    }
    enum limits_verdict verdict =
        judge_value(promise->shape, sample->value, sample->resolution, promise->value);
    return verdict == LIMITS_BROKEN && limits_sample_lives(sample) ? LIMITS_NOT_CHECKED : verdict;
}

/* The samples disagree: what all of them say is known all the same. */
static enum limits_verdict judge_unsteady(const struct limits_promise *promise,
                                          const struct limits_finding *finding,
                                          char why[static LIMITS_TEXT_BYTES])
{
    snprintf(why, LIMITS_TEXT_BYTES, "unsteady: %.280s", finding->why);
    if (finding->kind == LIMITS_FACT || finding->sample_count == 0) {
        return LIMITS_NOT_CHECKED;
    }
    enum limits_verdict verdict = judge_sample(promise, &finding->samples[0]);
    for (size_t i = 1; i < finding->sample_count; i++) {
        if (judge_sample(promise, &finding->samples[i]) != verdict) {
            return LIMITS_NOT_CHECKED;
        }
    }
    return verdict;
}

static enum limits_verdict judge_state(const struct limits_promise *promise,
                                       const struct limits_result *result,
                                       char why[static LIMITS_TEXT_BYTES])
{
    const struct limits_finding *finding = &result->findings[promise->shape];
    if (!finding->wanted) {
        snprintf(why, LIMITS_TEXT_BYTES, "left out by --shapes");
        return LIMITS_NOT_CHECKED;
    }
    switch (finding->state) {
    case LIMITS_NOT_MEASURED:
        break;
    case LIMITS_UNSTEADY:
        return judge_unsteady(promise, finding, why);
    case LIMITS_NONE_WITHIN:
        if (finding->kind == LIMITS_FACT) {
            break;
        }
        return judge_none(promise, finding, why);
    case LIMITS_FOUND:
    case LIMITS_BY_OTHER:
        if (finding->kind == LIMITS_FACT) {
            snprintf(why, LIMITS_TEXT_BYTES, "%s%s%.300s", finding->fact ? "yes" : "no",
                     finding->look[0] != '\0' ? ": " : "", finding->look);
            return finding->fact ? LIMITS_KEPT : LIMITS_BROKEN;
        }
        return judge_found(promise, finding, why);
    }
    snprintf(why, LIMITS_TEXT_BYTES, "not measured: %.280s", finding->why);
    return LIMITS_NOT_CHECKED;
}

/* Whether a silent stream lived beside others only, on connections that they may share. */
static bool is_beside_others(const struct limits_promise *promise,
                             const struct limits_result *result)
{
    bool silent = promise->shape == LIMITS_IDLE || promise->shape == LIMITS_IDLE_WITH_PINGS;
    const struct limits_finding *path = &result->findings[LIMITS_IDLE_PATH];
    bool known = path->wanted && path->state != LIMITS_NOT_MEASURED;
    return silent && !known && !result->direct;
}

enum limits_verdict limits_promise_judge(const struct limits_promise *promise,
                                         const struct limits_result *result,
                                         char why[static LIMITS_TEXT_BYTES])
{
    enum limits_verdict verdict = judge_state(promise, result, why);
    if (verdict == LIMITS_KEPT && is_beside_others(promise, result)) {
        size_t len = strlen(why);
        snprintf(why + len, LIMITS_TEXT_BYTES - len,
                 ", beside others in use; idle_path for a service that is quiet as a whole");
    }
    return verdict;
}

size_t limits_contract_count(const struct limits_contract *contract,
                             const struct limits_result *result, enum limits_verdict verdict)
{
    char why[LIMITS_TEXT_BYTES];
    size_t count = 0;
    for (size_t i = 0; i < contract->count; i++) {
        count += limits_promise_judge(&contract->promises[i], result, why) == verdict;
    }
    return count;
}
