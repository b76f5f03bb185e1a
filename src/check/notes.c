#include "check/notes.h"

#include "check/split_count.h"

#include <inttypes.h>

static struct sentence begin(struct check_notes *notes)
{
    return sentence_begin(notes->texts[notes->count++], CHECK_TEXT_BYTES);
}

/* Weights that are not right have a finding, and so have those that are not known. */
static void note_split(const struct check_report *report, const struct split *split,
                       struct check_notes *notes)
{
    if (split->part_count == 0) {
        return;
    }
    if (split->result == SPLIT_RIGHT) {
        struct sentence text = begin(notes);
        sentence_add(&text, "Split of new streams: OK, ");
        check_explain_split(&text, split);
        sentence_add(&text, "; ");
        check_explain_split_power(&text, split);
    }
    if (report->run->plan->hold_ms > 0 && split->live > 0) {
        struct sentence text = begin(notes);
        sentence_add(&text, "live streams at the end: ");
        check_explain_split_live(&text, split);
    }
}

bool check_add_proxied(struct sentence *text, const struct check_proxied *proxied)
{
    if (proxied->answered + proxied->refused + proxied->unanswered == 0) {
        return false;
    }
    const char *joint = "; ";
    sentence_add(text, "%" PRIu64 " stream%s by the proxy's log", proxied->answered,
                 proxied->answered == 1 ? "" : "s");
    if (proxied->refused > 0) {
        sentence_add(text, "%s%" PRIu64 " refused", joint, proxied->refused);
        joint = ", ";
    }
    if (proxied->unanswered > 0) {
        sentence_add(text, "%s%" PRIu64 " not answered", joint, proxied->unanswered);
        joint = ", ";
    }
    if (proxied->disputed > 0) {
        sentence_add(text, "%s%" PRIu64 " misrouted by its own account", joint, proxied->disputed);
    }
    if (proxied->other_endpoints > 0) {
        sentence_add(text, "; %" PRIu64 " of them to more endpoints than the %d that are listed",
                     proxied->other_endpoints, CHECK_ANSWERS_MAX);
    }
    return true;
}

void check_add_refusals(struct sentence *text, const struct check_proxy_log *log)
{
    uint64_t rest = log->refused;
    sentence_add(text, "%" PRIu64 " stream%s: ", log->refused, log->refused == 1 ? "" : "s");
    for (size_t i = 0; i < log->reason_count; i++) {
        sentence_add(text, "%s%s (%" PRIu64 ")", i > 0 ? ", " : "", log->reasons[i].text,
                     log->reasons[i].streams);
        rest -= log->reasons[i].streams;
    }
    if (rest > 0) {
        sentence_add(text, ", others (%" PRIu64 ")", rest);
    }
}

void check_report_notes(const struct check_report *report, size_t group, struct check_notes *ret)
{
    const struct role_rewrite *rewrite = &report->run->plan->groups[group].expect.rewrite;
    ret->count = 0;
    if (role_rewrites(rewrite)) {
        char rule[ROLE_REWRITE_BYTES];
        struct sentence text = begin(ret);
        sentence_add(&text, "%s", role_rewrite_text(rewrite, rule));
    }
    char proxied[CHECK_TEXT_BYTES];
    struct sentence log = sentence_begin(proxied, sizeof(proxied));
    if (check_add_proxied(&log, &report->groups[group].proxied)) {
        struct sentence text = begin(ret);
        sentence_add(&text, "%s", proxied);
    }
    if (report->splits != NULL) {
        note_split(report, &report->splits[group], ret);
    }
}
