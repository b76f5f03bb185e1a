#include "limits/report.h"

#include "cli/exit.h"
#include "limits/sentence.h"
#include "limits/words.h"
#include "role/signals.h"

#include <stdio.h>

static size_t count_state(const struct limits_result *result, enum limits_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < LIMITS_SHAPES; i++) {
        count += result->findings[i].wanted && result->findings[i].state == state;
    }
    return count;
}

static size_t count_wanted(const struct limits_result *result)
{
    size_t count = 0;
    for (size_t i = 0; i < LIMITS_SHAPES; i++) {
        count += result->findings[i].wanted;
    }
    return count;
}

int limits_report_exit_code(const struct limits_report *report)
{
    const struct limits_result *result = report->result;
    if (result->interrupted_by != 0) {
        return role_signals_exit_code(result->interrupted_by);
    }
    if (!result->connected) {
        return EXIT_NO_CONNECTION;
    }
    if (report->contract != NULL) {
        return limits_contract_count(report->contract, result, LIMITS_BROKEN) > 0
                   ? EXIT_CHECK_FAILED
               : limits_contract_count(report->contract, result, LIMITS_NOT_CHECKED) > 0
                   ? EXIT_NO_EVIDENCE
                   : EXIT_GOOD;
    }
    return count_state(result, LIMITS_NOT_MEASURED) == count_wanted(result) ? EXIT_NO_EVIDENCE
                                                                            : EXIT_GOOD;
}

/* ---- the sentence ---------------------------------------------------------------------------- */

static void say_promises(struct limits_sentence *sentence, const struct limits_report *report,
                         enum limits_verdict verdict, const char *what)
{
    char why[LIMITS_TEXT_BYTES];
    size_t said = 0;
    for (size_t i = 0; i < report->contract->count; i++) {
        const struct limits_promise *promise = &report->contract->promises[i];
        if (limits_promise_judge(promise, report->result, why) == verdict) {
            limits_say(sentence, "%s%s", said++ == 0 ? what : ", ", promise->text);
        }
    }
}

static void say_contract(struct limits_sentence *sentence, const struct limits_report *report)
{
    size_t kept = limits_contract_count(report->contract, report->result, LIMITS_KEPT);
    size_t count = report->contract->count;
    if (count == 1) {
        bool broken = limits_contract_count(report->contract, report->result, LIMITS_BROKEN) > 0;
        limits_say(sentence, "%s the one promise of the contract%s%s",
                   kept == 1 ? "The path keeps"
                   : broken  ? "The path breaks"
                             : "It was not checked whether the path keeps",
                   kept == 1 ? "" : ": ", kept == 1 ? "" : report->contract->promises[0].text);
        return;
    }
    if (kept == count) {
        limits_say(sentence, "The path keeps all %zu promises of the contract", count);
        return;
    }
    limits_say(sentence, "The path keeps %zu of the %zu promises of the contract", kept, count);
    say_promises(sentence, report, LIMITS_BROKEN, "; broken: ");
    say_promises(sentence, report, LIMITS_NOT_CHECKED, "; not checked: ");
}

static void say_found(struct limits_sentence *sentence, const struct limits_result *result)
{
    size_t said = 0;
    for (size_t i = 0; i < LIMITS_SHAPES; i++) {
        const struct limits_finding *finding = &result->findings[i];
        char found[LIMITS_FOUND_BYTES];
        if (finding->wanted && limits_is_notable(finding)) {
            limits_say(sentence, "%s%s %s", said++ == 0 ? "Found: " : ", ",
                       limits_shape_name(finding->shape), limits_found_text(finding, false, found));
        }
    }
    if (said == 0) {
        limits_say(sentence, "No limit was met");
    }
}

static bool has_time(const struct limits_result *result)
{
    for (size_t i = 0; i < LIMITS_SHAPES; i++) {
        const struct limits_finding *finding = &result->findings[i];
        if (finding->wanted && finding->kind == LIMITS_DURATION &&
            finding->state != LIMITS_NOT_MEASURED) {
            return true;
        }
    }
    return false;
}

uint64_t limits_report_looked_ns(const struct limits_result *result)
{
    if (!has_time(result)) {
        return 0;
    }
    bool stopped = result->interrupted_by != 0 && result->took_ns < result->within_ns;
    uint64_t least_ns = stopped ? result->took_ns : result->within_ns;
    for (size_t i = 0; i < LIMITS_SHAPES; i++) {
        const struct limits_finding *finding = &result->findings[i];
        if (result->interrupted_by != 0 && finding->wanted && finding->kind == LIMITS_DURATION &&
            finding->state == LIMITS_NONE_WITHIN && finding->shape != LIMITS_PING_INTERVAL &&
            finding->looked < least_ns) {
            least_ns = finding->looked;
        }
    }
    return least_ns;
}

static void say_measured(struct limits_sentence *sentence, const struct limits_result *result)
{
    char within[LIMITS_VALUE_BYTES];
    uint64_t looked_ns = limits_report_looked_ns(result);
    size_t missing = count_state(result, LIMITS_NOT_MEASURED);
    if (missing == count_wanted(result)) {
        limits_say(sentence, "Nothing was measured");
        return;
    }
    say_found(sentence, result);
    if (looked_ns > 0) {
        limits_say(sentence, "; looked for %s",
                   limits_value_text(LIMITS_DURATION, looked_ns, within, sizeof(within)));
    }
    if (missing > 0) {
        limits_say(sentence, "; %zu of %zu shapes were not measured", missing,
                   count_wanted(result));
    }
}

const char *limits_report_message(const struct limits_report *report,
                                  char out[static LIMITS_MESSAGE_BYTES])
{
    struct limits_sentence sentence;
    limits_sentence_begin(&sentence, out, LIMITS_MESSAGE_BYTES);
    if (report->result->interrupted_by != 0) {
        limits_say(&sentence, "Interrupted; this is what was known by then. ");
    } else if (!report->result->connected) {
        limits_say(&sentence, "%s", report->result->reason);
        return out;
    }
    if (report->contract != NULL) {
        say_contract(&sentence, report);
    } else {
        say_measured(&sentence, report->result);
    }
    return out;
}
