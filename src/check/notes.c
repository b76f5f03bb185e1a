#include "check/notes.h"

#include "check/sentence.h"
#include "check/split_count.h"

static struct sentence begin(struct check_notes *notes)
{
    return sentence_begin(notes->texts[notes->count++], CHECK_TEXT_BYTES);
}

/* Weights that are not right have a finding. */
static void note_split(const struct check_report *report, const struct split *split,
                       struct check_notes *notes)
{
    if (split->part_count > 0 && split->result == SPLIT_RIGHT) {
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

void check_report_notes(const struct check_report *report, size_t group, struct check_notes *ret)
{
    const struct role_rewrite *rewrite = &report->run->plan->groups[group].expect.rewrite;
    ret->count = 0;
    if (role_rewrites(rewrite)) {
        char rule[ROLE_REWRITE_BYTES];
        struct sentence text = begin(ret);
        sentence_add(&text, "%s", role_rewrite_text(rewrite, rule));
    }
    if (report->splits != NULL) {
        note_split(report, &report->splits[group], ret);
    }
}
