/* What every form of a report says in the same words: what was not checked, and how it ended. */
#include "check/print.h"

#include "check/kinds.h"
#include "check/sentence.h"
#include "check/service.h"
#include "role/connect.h"

/* ---- what was not checked -------------------------------------------------------------------- */

static const unsigned needs_extensions =
    1U << CHECK_ISOLATION | 1U << CHECK_ORDER | 1U << CHECK_LOSS;

const char *check_command_name(enum check_command command)
{
    return command == CHECK_VERIFY ? "verify" : "sticky-test";
}

/* Where the server would tell it. */
static const char *why_not_isolation(const struct check_plan *plan, unsigned unchecked)
{
    if ((unchecked & 1U << CHECK_ISOLATION) == 0) {
        return NULL;
    }
    if (plan->id_hidden) {
        return "servers tell what they saw in " ROLE_ID_HEADER ", not in --id-header";
    }
    bool tells = (unchecked & needs_extensions) == 1U << CHECK_ISOLATION;
    return tells && plan->rewritten
               ? "some rule rewrites what servers see, and which one took it is not known"
               : NULL;
}

char *check_unchecked_text(const struct check_plan *plan, unsigned unchecked, char *out,
                           size_t out_bytes)
{
    struct sentence text = sentence_begin(out, out_bytes);
    if (plan->service != NULL) {
        check_service_explain_unchecked(&text, plan, unchecked);
        return out;
    }
    if (plan->from_logs) {
        check_add_kinds(&text, unchecked);
        sentence_add(&text, plan->rewritten ? ": the routes rewrite what servers log of agents"
                                            : ": the logs of both agents and servers are needed");
        return out;
    }
    const char *why = why_not_isolation(plan, unchecked);
    if (why != NULL) {
        sentence_add(&text, "%s: %s", check_kind_words(CHECK_ISOLATION), why);
        unchecked &= ~(1U << CHECK_ISOLATION);
        sentence_add(&text, "%s", unchecked != 0 ? "; " : "");
    }
    if ((unchecked & needs_extensions) != 0) {
        check_add_kinds(&text, unchecked & needs_extensions);
        sentence_add(&text, ": server sends no extension fields");
    }
    const unsigned needs_end = 1U << CHECK_ENDING;
    if ((unchecked & ~(needs_extensions | needs_end)) != 0) {
        sentence_add(&text, "%s", (unchecked & needs_extensions) != 0 ? "; " : "");
        check_add_kinds(&text, unchecked & ~(needs_extensions | needs_end));
        sentence_add(&text, ": server sends no server_id");
    }
    if ((unchecked & needs_end) != 0) {
        sentence_add(&text, "%s", text.len > 0 ? "; " : "");
        check_add_kinds(&text, needs_end);
        sentence_add(&text, ": server did not end it after the last message");
    }
    return out;
}

/* ---- how it ended ---------------------------------------------------------------------------- */

static size_t count_result(const struct check_report *report, enum check_result result)
{
    size_t count = 0;
    for (size_t i = 0; i < report->run->plan->group_count; i++) {
        count += report->groups[i].result == result;
    }
    return count;
}

static void summarize_verify(struct sentence *text, const struct check_report *report)
{
    size_t groups = report->run->plan->group_count;
    if (report->result == CHECK_PASSED) {
        sentence_add(text, "Routing verification passed!");
    } else if (report->result == CHECK_FAILED) {
        sentence_add(text, "Routing verification failed: %zu of %zu checks",
                     count_result(report, CHECK_FAILED), groups);
    } else if (report->result == CHECK_NO_EVIDENCE) {
        sentence_add(text,
                     "Routing verification without verdict: not enough evidence in %zu of %zu "
                     "checks",
                     count_result(report, CHECK_NO_EVIDENCE), groups);
    } else {
        sentence_add(text, "Routing verification interrupted");
    }
}

static void summarize_sticky(struct sentence *text, const struct check_report *report)
{
    size_t agents = report->run->plan->group_count;
    if (report->result == CHECK_PASSED) {
        sentence_add(text, "Sticky routing works correctly!");
    } else if (report->result == CHECK_FAILED) {
        sentence_add(text, "Sticky routing failed for %zu of %zu streams",
                     count_result(report, CHECK_FAILED), agents);
    } else if (report->result == CHECK_NO_EVIDENCE) {
        sentence_add(text, "Sticky routing not proved: not enough evidence from %zu of %zu streams",
                     count_result(report, CHECK_NO_EVIDENCE), agents);
    } else {
        sentence_add(text, "Sticky routing test interrupted");
    }
}

const char *check_summary(const struct check_report *report, char *out, size_t out_bytes)
{
    struct sentence text = sentence_begin(out, out_bytes);
    if (report->result == CHECK_NOT_CONNECTED) {
        sentence_add(&text, "%s", report->reason);
    } else if (report->run->plan->command == CHECK_VERIFY) {
        summarize_verify(&text, report);
    } else {
        summarize_sticky(&text, report);
    }
    return out;
}
