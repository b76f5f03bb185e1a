/* The report as JUnit XML: a case for each version or stream. */
#include "check/notes.h"
#include "check/print.h"
#include "check/split_count.h"
#include "cli/junit.h"

#include <stdlib.h>
#include <string.h>

#define LABEL_BYTES 400

/* JUnit knows one failure or error per case: the first finding, which is the heaviest, gives its
 * type; the others follow in system-out. */
static void put_findings(FILE *out, const struct check_verdict *verdict)
{
    const struct check_finding *first = &verdict->findings[0];
    cli_junit_problem(out, first->result == CHECK_FAILED ? CLI_JUNIT_FAILURE : CLI_JUNIT_ERROR,
                      check_kind_label(first->kind), first->text);
}

static void put_output(FILE *out, const struct check_report *report, size_t group)
{
    const struct check_plan *plan = report->run->plan;
    const struct check_verdict *verdict = &report->groups[group];
    char text[CHECK_TEXT_BYTES];
    char *lines = NULL;
    size_t len;
    FILE *memory = open_memstream(&lines, &len);
    if (memory == NULL) {
        return;
    }
    if (verdict->outcome[0] != '\0') {
        fprintf(memory, "%s\n", verdict->outcome);
    }
    if (report->splits != NULL && report->splits[group].part_count > 0) {
        struct sentence words = sentence_begin(text, sizeof(text));
        check_explain_split(&words, &report->splits[group]);
        fprintf(memory, "Split of new streams: %s\n", text);
    }
    struct sentence proxied = sentence_begin(text, sizeof(text));
    if (check_add_proxied(&proxied, &verdict->proxied)) {
        fprintf(memory, "%s\n", text);
    }
    for (size_t i = 1; i < verdict->finding_count; i++) {
        fprintf(memory, "%s\n", verdict->findings[i].text);
    }
    if (verdict->unchecked != 0) {
        fprintf(memory, "Not checked: %s\n",
                check_unchecked_text(plan, verdict->unchecked, text, sizeof(text)));
    }
    fclose(memory);
    cli_junit_output(out, lines);
    free(lines);
}

/* What an interrupted run has found stands; that nothing was found yet is no pass. */
static bool is_cut_short(const struct check_report *report, const struct check_verdict *verdict)
{
    return report->result == CHECK_INTERRUPTED && verdict->finding_count == 0;
}

static void put_case(FILE *out, const struct cli_junit_suite *suite,
                     const struct check_report *report, size_t group)
{
    const struct check_plan *plan = report->run->plan;
    const struct check_verdict *verdict = &report->groups[group];
    char label[LABEL_BYTES];
    char name[2 * LABEL_BYTES];
    bool sticky = plan->command == CHECK_STICKY;
    snprintf(name, sizeof(name), sticky ? "%s %s" : "%s",
             check_group_label(&plan->groups[group], label, sizeof(label)),
             sticky ? check_names_text(&report->run->names, report->run->streams[group].agent_id)
                    : "");
    cli_junit_case_begin(out, suite, name);
    if (report->result == CHECK_NOT_CONNECTED) {
        cli_junit_problem(out, CLI_JUNIT_ERROR, "not_connected", report->reason);
    } else if (is_cut_short(report, verdict)) {
        cli_junit_problem(out, CLI_JUNIT_ERROR, "interrupted", "interrupted before it was over");
    } else if (verdict->finding_count > 0) {
        put_findings(out, verdict);
    }
    put_output(out, report, group);
    cli_junit_case_end(out);
}

static size_t count_problems(const struct check_report *report, bool failures)
{
    size_t count = 0;
    for (size_t i = 0; i < report->run->plan->group_count; i++) {
        enum check_result result = report->groups[i].result;
        bool failed = report->result != CHECK_NOT_CONNECTED && result == CHECK_FAILED;
        bool problem = report->result == CHECK_NOT_CONNECTED || result != CHECK_PASSED ||
                       is_cut_short(report, &report->groups[i]);
        count += failures ? failed : problem && !failed;
    }
    return count;
}

void check_print_junit(FILE *out, const void *printed)
{
    const struct check_report *report = printed;
    const struct cli_junit_suite suite = {
        .command = check_command_name(report->run->plan->command),
        .target = report->run->target,
        .tests = report->run->plan->group_count,
        .failures = count_problems(report, true),
        .errors = count_problems(report, false),
    };
    cli_junit_begin(out, &suite);
    for (size_t i = 0; i < suite.tests; i++) {
        put_case(out, &suite, report, i);
    }
    cli_junit_end(out);
}
