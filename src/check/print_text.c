/* Lines for people: one per version or agent while all is well, one per finding where not. */
#include "check/print.h"

#include "check/sentence.h"
#include "cli/terminal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define LABEL_BYTES 400
#define LINE_BYTES  (LABEL_BYTES + CHECK_TEXT_BYTES + 800)
/* So many streams would reach a second pod if there were one (round robin does with two, chance
 * with 97 %). */
#define SPREAD_STREAMS 6

static const unsigned needs_extensions =
    1U << CHECK_ISOLATION | 1U << CHECK_ORDER | 1U << CHECK_LOSS;

const char *check_command_name(enum check_command command)
{
    return command == CHECK_VERIFY ? "verify" : "sticky-test";
}

static void add_kinds(struct sentence *text, unsigned kinds)
{
    const char *joint = "";
    for (unsigned kind = 0; kind < CHECK_KIND_COUNT; kind++) {
        if ((kinds & 1U << kind) != 0) {
            sentence_add(text, "%s%s", joint, check_kind_words((enum check_kind)kind));
            joint = ", ";
        }
    }
}

char *check_unchecked_text(const struct check_plan *plan, unsigned unchecked, char *out,
                           size_t out_bytes)
{
    struct sentence text = sentence_begin(out, out_bytes);
    if (plan->from_logs) {
        add_kinds(&text, unchecked);
        sentence_add(&text, ": the logs of both agents and servers are needed");
        return out;
    }
    if ((unchecked & needs_extensions) != 0) {
        add_kinds(&text, unchecked & needs_extensions);
        sentence_add(&text, ": server sends no extension fields");
    }
    const unsigned needs_end = 1U << CHECK_ENDING;
    if ((unchecked & ~(needs_extensions | needs_end)) != 0) {
        sentence_add(&text, "%s", text.len > 0 ? "; " : "");
        add_kinds(&text, unchecked & ~(needs_extensions | needs_end));
        sentence_add(&text, ": server sends no server_id");
    }
    if ((unchecked & needs_end) != 0) {
        sentence_add(&text, "%s", text.len > 0 ? "; " : "");
        add_kinds(&text, needs_end);
        sentence_add(&text, ": server did not end it after the last message");
    }
    return out;
}

/* A styled line that begins with a mark; a mark that the terminal cannot show leaves no gap. */
__attribute__((format(printf, 4, 5))) static void
print_line(FILE *out, enum cli_style style, enum cli_mark mark, const char *format, ...)
{
    const char *shown = cli_mark(mark);
    fprintf(out, "%s%s%s", cli_style(out, style), shown, shown[0] != '\0' ? " " : "");
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    fprintf(out, "%s%s\n", cli_readable(line), cli_style(out, CLI_PLAIN));
}

static void print_findings(FILE *out, const char *label, const struct check_verdict *verdict)
{
    for (size_t i = 0; i < verdict->finding_count; i++) {
        const struct check_finding *finding = &verdict->findings[i];
        bool failed = finding->result == CHECK_FAILED;
        print_line(out, failed ? CLI_BAD : CLI_WARN, failed ? CLI_MARK_BAD : CLI_MARK_WARN,
                   "%s %s %s", label, cli_mark(CLI_MARK_ARROW), finding->text);
    }
}

static void print_passed(FILE *out, const char *label, const struct check_group *group,
                         const struct check_verdict *verdict)
{
    char expected[ROLE_EXPECT_MAX * CHECK_VERSION_BYTES];
    const char *arrow = cli_mark(CLI_MARK_ARROW);
    if (group->expect.rule == ROLE_EXPECT_SERVER) {
        print_line(out, CLI_GOOD, CLI_MARK_GOOD, "%s %s Server %s: OK", label, arrow,
                   role_expectation_text(&group->expect, expected, sizeof(expected)));
    } else if (group->expect.rule == ROLE_EXPECT_REPORT && verdict->received > 0) {
        print_line(out, CLI_WARN, CLI_MARK_WARN, "%s %s %s (not rejected)", label, arrow,
                   verdict->outcome);
    } else {
        print_line(out, CLI_GOOD, CLI_MARK_GOOD, "%s %s %s: OK", label, arrow, verdict->outcome);
    }
}

static void print_version_groups(FILE *out, const struct check_report *report)
{
    const struct check_plan *plan = report->run->plan;
    for (size_t i = 0; i < plan->group_count; i++) {
        char label[LABEL_BYTES];
        check_group_label(&plan->groups[i], label, sizeof(label));
        if (report->groups[i].finding_count == 0) {
            print_passed(out, label, &plan->groups[i], &report->groups[i]);
        } else {
            print_findings(out, label, &report->groups[i]);
        }
    }
}

/* True when every group that was answered lacks the same; `ret_unchecked` is what any of them
 * lacks. */
static bool unchecked_alike(const struct check_report *report, unsigned *ret_unchecked)
{
    unsigned all = 0;
    unsigned common = ~0U;
    for (size_t i = 0; i < report->run->plan->group_count; i++) {
        if (report->groups[i].received > 0) {
            all |= report->groups[i].unchecked;
            common &= report->groups[i].unchecked;
        }
    }
    *ret_unchecked = all;
    return all == common;
}

static void print_unchecked(FILE *out, const struct check_report *report)
{
    char text[CHECK_TEXT_BYTES];
    unsigned unchecked;
    bool alike = unchecked_alike(report, &unchecked);
    if (unchecked != 0 && alike) {
        print_line(out, CLI_WARN, CLI_MARK_WARN, "Not checked: %s",
                   check_unchecked_text(report->run->plan, unchecked, text, sizeof(text)));
        return;
    }
    for (size_t i = 0; i < report->run->plan->group_count; i++) {
        if (report->groups[i].unchecked != 0) {
            char label[LABEL_BYTES];
            print_line(out, CLI_WARN, CLI_MARK_WARN, "Not checked for %s: %s",
                       check_group_label(&report->run->plan->groups[i], label, sizeof(label)),
                       check_unchecked_text(report->run->plan, report->groups[i].unchecked, text,
                                            sizeof(text)));
        }
    }
}

/* The one pod that answered all streams which belong to the servers of group `first`, or
 * CHECK_NAME_EMPTY when there were several, too few streams, or the group is not the first of its
 * servers. */
static uint32_t single_pod(const struct check_report *report, size_t first)
{
    const struct check_group *groups = report->run->plan->groups;
    uint32_t pod = CHECK_NAME_EMPTY;
    size_t streams = 0;
    for (size_t i = 0; i < report->run->plan->group_count; i++) {
        const struct check_verdict *verdict = &report->groups[i];
        if (groups[i].expect.version_count != 1 || groups[first].expect.version_count != 1 ||
            strcmp(groups[i].expect.versions[0], groups[first].expect.versions[0]) != 0) {
            continue;
        }
        for (size_t a = 0; a < verdict->answer_count; a++) {
            if (pod != CHECK_NAME_EMPTY && pod != verdict->answers[a].server_id) {
                return CHECK_NAME_EMPTY;
            }
            pod = verdict->answers[a].server_id;
        }
        if (i < first && verdict->answer_count > 0) {
            return CHECK_NAME_EMPTY;
        }
        streams += verdict->streams_done;
    }
    return streams >= SPREAD_STREAMS ? pod : CHECK_NAME_EMPTY;
}

/* Right when there is one pod, and what happens when the proxy sees one address of several. */
static void print_single_pods(FILE *out, const struct check_report *report)
{
    const struct check_plan *plan = report->run->plan;
    for (size_t i = 0; i < plan->group_count && !plan->from_logs; i++) {
        uint32_t pod = single_pod(report, i);
        if (pod != CHECK_NAME_EMPTY) {
            print_line(out, CLI_WARN, CLI_MARK_WARN,
                       "Only one server %s answered, %s: if there are more, the proxy sees one "
                       "address of them; make "
                       "their Service headless",
                       plan->groups[i].expect.versions[0],
                       check_names_text(&report->run->names, pod));
        }
    }
}

static size_t count_result(const struct check_report *report, enum check_result result)
{
    size_t count = 0;
    for (size_t i = 0; i < report->run->plan->group_count; i++) {
        count += report->groups[i].result == result;
    }
    return count;
}

static void print_verify_end(FILE *out, const struct check_report *report)
{
    size_t groups = report->run->plan->group_count;
    if (report->result == CHECK_PASSED) {
        print_line(out, CLI_GOOD, CLI_MARK_DONE, "Routing verification passed!");
    } else if (report->result == CHECK_FAILED) {
        print_line(out, CLI_BAD, CLI_MARK_BAD, "Routing verification failed: %zu of %zu checks",
                   count_result(report, CHECK_FAILED), groups);
    } else if (report->result == CHECK_NO_EVIDENCE) {
        print_line(out, CLI_WARN, CLI_MARK_WARN,
                   "Routing verification without verdict: not enough evidence in %zu of %zu checks",
                   count_result(report, CHECK_NO_EVIDENCE), groups);
    } else {
        print_line(out, CLI_WARN, CLI_MARK_WARN, "Routing verification interrupted");
    }
}

void check_print_begin(FILE *out, const struct check_plan *plan)
{
    if (plan->stream_count == 1) {
        fprintf(out, "Testing sticky routing for %s...\n", plan->streams[0].agent_id);
    } else {
        fprintf(out, "Testing sticky routing for %s to %s...\n", plan->streams[0].agent_id,
                plan->streams[plan->stream_count - 1].agent_id);
    }
    fflush(out);
}

static void print_agent(FILE *out, const struct check_report *report, size_t stream)
{
    const struct check_run *run = report->run;
    const struct check_verdict *verdict = &report->groups[run->plan->streams[stream].group];
    if (verdict->finding_count > 0) {
        print_findings(out, run->plan->streams[stream].agent_id, verdict);
        return;
    }
    const char *pod = check_names_text(&run->names, verdict->answers[0].server_id);
    if (run->plan->stream_count == 1) {
        print_line(out, CLI_GOOD, CLI_MARK_GOOD, "All %" PRIu64 " messages routed to same pod: %s",
                   verdict->received, pod);
    } else {
        print_line(out, CLI_GOOD, CLI_MARK_GOOD,
                   "%s: all %" PRIu64 " messages routed to same pod: %s",
                   run->plan->streams[stream].agent_id, verdict->received, pod);
    }
}

static void print_sticky_end(FILE *out, const struct check_report *report)
{
    size_t agents = report->run->plan->group_count;
    if (report->result == CHECK_PASSED) {
        fprintf(out, "Sticky routing works correctly!\n");
    } else if (report->result == CHECK_FAILED) {
        fprintf(out, "Sticky routing failed for %zu of %zu streams\n",
                count_result(report, CHECK_FAILED), agents);
    } else if (report->result == CHECK_NO_EVIDENCE) {
        fprintf(out, "Sticky routing not proved: not enough evidence from %zu of %zu streams\n",
                count_result(report, CHECK_NO_EVIDENCE), agents);
    } else {
        fprintf(out, "Sticky routing test interrupted\n");
    }
}

void check_print_text(FILE *out, const struct check_report *report)
{
    if (report->result == CHECK_NOT_CONNECTED) {
        return;
    }
    if (report->run->plan->command == CHECK_VERIFY) {
        print_version_groups(out, report);
        print_unchecked(out, report);
        print_single_pods(out, report);
        print_verify_end(out, report);
        return;
    }
    for (size_t i = 0; i < report->run->plan->stream_count; i++) {
        print_agent(out, report, i);
    }
    print_unchecked(out, report);
    print_sticky_end(out, report);
}
