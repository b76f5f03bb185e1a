/* The report as tables of a CI job's page. */
#include "check/notes.h"
#include "check/pods.h"
#include "check/print.h"
#include "check/sentence.h"
#include "cli/markdown.h"

#include <inttypes.h>

#define LABEL_BYTES   400
#define ANSWERS_SHOWN 8

static const char *expected_of(const struct role_expectation *expect, char *out, size_t out_bytes)
{
    switch (expect->rule) {
    case ROLE_EXPECT_SERVER:
        return role_expectation_text(expect, out, out_bytes);
    case ROLE_EXPECT_REJECTED:
        return "rejected";
    case ROLE_EXPECT_REPORT:
        return "told only";
    case ROLE_EXPECT_UNKNOWN:
        return "unknown";
    case ROLE_EXPECT_ANY:
        break;
    }
    return "any server";
}

static void put_answers(struct sentence *text, const struct check_names *names,
                        const struct check_verdict *verdict)
{
    for (size_t i = 0; i < verdict->answer_count && i < ANSWERS_SHOWN; i++) {
        const struct check_answer *answer = &verdict->answers[i];
        sentence_add(text, "%s%s/%s %" PRIu64, i > 0 ? ", " : "",
                     check_names_text(names, answer->server_version),
                     check_names_text(names, answer->server_id), answer->messages);
    }
    if (verdict->answer_count > ANSWERS_SHOWN) {
        sentence_add(text, " and %zu more", verdict->answer_count - ANSWERS_SHOWN);
    } else if (verdict->answer_count == 0) {
        sentence_add(text, "%s", verdict->outcome[0] != '\0' ? verdict->outcome : "nobody");
    }
}

static void put_findings(struct sentence *text, const struct check_report *report, size_t group)
{
    const struct check_verdict *verdict = &report->groups[group];
    char unchecked[CHECK_TEXT_BYTES];
    struct check_notes notes;
    for (size_t i = 0; i < verdict->finding_count; i++) {
        sentence_add(text, "%s%s", i > 0 ? "; " : "", verdict->findings[i].text);
    }
    check_report_notes(report, group, &notes);
    for (size_t i = 0; i < notes.count; i++) {
        sentence_add(text, "%s%s", text->len > 0 ? "; " : "", notes.texts[i]);
    }
    if (verdict->unchecked != 0) {
        sentence_add(text, "%snot checked: %s", text->len > 0 ? "; " : "",
                     check_unchecked_text(report->run->plan, verdict->unchecked, unchecked,
                                          sizeof(unchecked)));
    }
}

static void put_group(FILE *out, const struct check_report *report, size_t number)
{
    const struct check_run *run = report->run;
    const struct check_group *group = &run->plan->groups[number];
    const struct check_verdict *verdict = &report->groups[number];
    bool not_connected = report->result == CHECK_NOT_CONNECTED;
    char label[LABEL_BYTES];
    char expected[ROLE_EXPECT_MAX * CHECK_VERSION_BYTES];
    char answers[CHECK_TEXT_BYTES];
    char findings[4 * CHECK_TEXT_BYTES];
    char streams[48];
    struct sentence answered = sentence_begin(answers, sizeof(answers));
    struct sentence found = sentence_begin(findings, sizeof(findings));
    put_answers(&answered, &run->names, verdict);
    put_findings(&found, report, number);
    snprintf(streams, sizeof(streams), "%zu of %zu", verdict->streams_done, verdict->streams);
    const char *const cells[] = {
        check_result_label(not_connected ? CHECK_NOT_CONNECTED : verdict->result),
        check_group_label(group, label, sizeof(label)),
        expected_of(&group->expect, expected, sizeof(expected)),
        answers,
        streams,
        findings,
        NULL,
    };
    cli_markdown_row(out, cells);
}

void check_print_markdown(FILE *out, const void *printed)
{
    static const char *const columns[] = {"Result",  "Check",         "Expected", "Answered by",
                                          "Streams", "What was seen", NULL};
    const struct check_report *report = printed;
    cli_markdown_table(out, "Checks", columns);
    for (size_t i = 0; i < report->run->plan->group_count; i++) {
        put_group(out, report, i);
    }
}
