#include "check/every_cause.h"

#include "base/hash.h"

#include <string.h>

struct noting {
    struct every_causes *causes;
    uint64_t run;
    bool is_news;
};

static void note(struct noting *noting, uint64_t mark)
{
    size_t place = EVERY_CAUSES_MAX;
    for (size_t i = 0; i < EVERY_CAUSES_MAX; i++) {
        uint64_t seen = noting->causes->seen[i].mark;
        bool is_gone = seen == 0 || noting->run - noting->causes->seen[i].run > EVERY_CAUSE_RUNS;
        if (seen == mark && !is_gone) {
            noting->causes->seen[i].run = noting->run;
            return;
        }
        place = is_gone ? i : place;
    }
    if (place < EVERY_CAUSES_MAX) {
        noting->causes->seen[place].mark = mark;
        noting->causes->seen[place].run = noting->run;
        noting->is_news = true;
    }
}

/* Words with a digit are counts, times, addresses and names made by a machine; but the number of a
 * status says what happened. */
static uint64_t mark_words(uint64_t mark, const char *text)
{
    bool is_status = false;
    for (text += strspn(text, " "); *text != '\0'; text += strspn(text, " ")) {
        size_t len = strcspn(text, " ");
        if (is_status || strcspn(text, "0123456789") >= len) {
            mark = hash_bytes(mark, text, len + 1); /* with what ends it */
        }
        is_status = len == strlen("status") && strncmp(text, "status", len) == 0;
        text += len;
    }
    return mark;
}

/* Each version that answers and should not is a cause of its own. */
static void note_versions(struct noting *noting, uint64_t mark, const struct check_report *report,
                          size_t group)
{
    const struct check_verdict *verdict = &report->groups[group];
    const struct role_expectation *expect = &report->run->plan->groups[group].expect;
    for (size_t i = 0; i < verdict->answer_count; i++) {
        const char *version =
            check_names_text(&report->run->names, verdict->answers[i].server_version);
        if (expect->rule != ROLE_EXPECT_SERVER || !role_expectation_allows(expect, version)) {
            note(noting, hash_text(mark, version));
        }
    }
}

/* Only of a stream's end the words are the cause; elsewhere they name one example of many. */
static bool is_told_by_words(enum check_kind kind)
{
    return kind == CHECK_REJECTION || kind == CHECK_ENDING || kind == CHECK_EVIDENCE;
}

/* Where a rejection was due, it is who answered. */
static bool is_told_by_versions(const struct check_finding *finding,
                                const struct role_expectation *expect)
{
    return finding->kind == CHECK_VERSION ||
           (finding->kind == CHECK_REJECTION && finding->result == CHECK_FAILED &&
            expect->rule == ROLE_EXPECT_REJECTED);
}

static void note_group(struct noting *noting, const struct check_report *report, size_t group)
{
    const struct check_verdict *verdict = &report->groups[group];
    for (size_t i = 0; i < verdict->finding_count; i++) {
        const struct check_finding *finding = &verdict->findings[i];
        const size_t what[] = {group, finding->kind};
        uint64_t mark = hash_bytes(HASH_BASIS, what, sizeof(what));
        if (is_told_by_versions(finding, &report->run->plan->groups[group].expect)) {
            note_versions(noting, mark, report, group);
        } else if (is_told_by_words(finding->kind)) {
            note(noting, mark_words(mark, finding->text));
        } else {
            note(noting, mark);
        }
    }
}

bool every_causes_note(struct every_causes *causes, uint64_t run, const struct check_report *report)
{
    struct noting noting = {causes, run, false};
    if (report->result == CHECK_NOT_CONNECTED) {
        note(&noting, mark_words(HASH_BASIS, report->reason));
        return noting.is_news;
    }
    for (size_t i = 0; i < report->run->plan->group_count; i++) {
        note_group(&noting, report, i);
    }
    return noting.is_news;
}
