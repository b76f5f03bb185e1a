/* Lines for people: one per version or agent while all is well, one per finding where not. */
#include "check/print.h"

#include "base/text.h"
#include "check/notes.h"
#include "check/pods.h"
#include "check/sentence.h"
#include "check/service.h"
#include "check/split_count.h"
#include "cli/result.h"
#include "cli/terminal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define LABEL_BYTES 400
#define LINE_BYTES  (LABEL_BYTES + CHECK_TEXT_BYTES + 800)
/* Pods named in one line. */
#define PODS_NAMED 8
/* So many streams would reach a second pod if there were one (round robin does with two, chance
 * with 97 %). */
#define SPREAD_STREAMS 6

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

/* The pods that answered, and those of the same servers that only other versions met; the streams
 * that a proxy's log has. */
static void add_pods(struct sentence *text, const struct check_report *report, size_t group)
{
    const struct check_names *names = &report->run->names;
    const struct check_verdict *verdict = &report->groups[group];
    struct check_pods pods;
    for (size_t i = 0; i < verdict->answer_count && i < PODS_NAMED; i++) {
        uint32_t id = verdict->answers[i].server_id;
        sentence_add(text, "%s%s",
                     i > 0                        ? ", "
                     : verdict->answer_count == 1 ? " (pod "
                                                  : " (pods ",
                     id != CHECK_NAME_EMPTY ? check_names_text(names, id) : "without name");
    }
    if (verdict->answer_count > PODS_NAMED) {
        sentence_add(text, " and %zu more", verdict->answer_count - PODS_NAMED);
    }
    check_report_pods(report, group, &pods);
    for (size_t i = 0; i < pods.missed_count && i < PODS_NAMED; i++) {
        sentence_add(text, "%s%s", i == 0 ? "; not met: " : ", ",
                     check_names_text(names, pods.missed[i]));
    }
    if (pods.missed_count > PODS_NAMED) {
        sentence_add(text, " and %zu more", pods.missed_count - PODS_NAMED);
    }
    char proxied[CHECK_TEXT_BYTES];
    struct sentence log = sentence_begin(proxied, sizeof(proxied));
    bool told = check_add_proxied(&log, &verdict->proxied);
    if (told) {
        sentence_add(text, "%s%s", verdict->answer_count > 0 ? "; " : " (", proxied);
    }
    sentence_add(text, "%s", told || verdict->answer_count > 0 ? ")" : "");
}

/* What its servers are to see of it, where that is not what it sends. */
static void add_rewrite(struct sentence *text, const struct role_rewrite *rewrite)
{
    char rule[ROLE_REWRITE_BYTES];
    role_rewrite_text(rewrite, rule);
    sentence_add(text, "%s%s", rule[0] != '\0' ? "; " : "", rule);
}

static void print_passed(FILE *out, const char *label, const struct check_report *report,
                         size_t group)
{
    const struct role_expectation *expect = &report->run->plan->groups[group].expect;
    const struct check_verdict *verdict = &report->groups[group];
    const char *arrow = cli_mark(CLI_MARK_ARROW);
    char expected[ROLE_EXPECT_MAX * CHECK_VERSION_BYTES];
    char evidence[CHECK_TEXT_BYTES];
    struct sentence text = sentence_begin(evidence, sizeof(evidence));
    add_pods(&text, report, group);
    if (report->run->plan->service != NULL) {
        check_service_add_unchecked(&text, verdict->unchecked);
    }
    add_rewrite(&text, &expect->rewrite);
    if (expect->rule == ROLE_EXPECT_SERVER) {
        print_line(out, CLI_GOOD, CLI_MARK_GOOD, "%s %s Server %s: OK%s", label, arrow,
                   role_expectation_text(expect, expected, sizeof(expected)), evidence);
    } else if (expect->rule == ROLE_EXPECT_ANY) {
        print_line(out, CLI_GOOD, CLI_MARK_GOOD, "%s %s any server: OK%s", label, arrow, evidence);
    } else if (expect->rule == ROLE_EXPECT_REPORT && verdict->received > 0) {
        print_line(out, CLI_WARN, CLI_MARK_WARN, "%s %s %s (not rejected)", label, arrow,
                   verdict->outcome);
    } else {
        print_line(out, CLI_GOOD, CLI_MARK_GOOD, "%s %s %s: OK", label, arrow, verdict->outcome);
    }
}

/* The evidence for weights that are right; those that are not have a finding. */
static void print_split(FILE *out, const char *label, const struct check_report *report,
                        size_t group)
{
    const struct split *split = &report->splits[group];
    const char *arrow = cli_mark(CLI_MARK_ARROW);
    char words[CHECK_TEXT_BYTES];
    struct sentence text = sentence_begin(words, sizeof(words));
    if (split->result == SPLIT_RIGHT) {
        check_explain_split(&text, split);
        sentence_add(&text, "; ");
        check_explain_split_power(&text, split);
        print_line(out, CLI_GOOD, CLI_MARK_GOOD, "%s %s Split of new streams: OK, %s", label, arrow,
                   words);
    }
    if (report->run->plan->hold_ms > 0 && split->live > 0) {
        text = sentence_begin(words, sizeof(words));
        check_explain_split_live(&text, split);
        fprintf(out, "   %s %s live streams at the end: %s\n", label, arrow, words);
    }
}

static void print_version_groups(FILE *out, const struct check_report *report)
{
    const struct check_plan *plan = report->run->plan;
    for (size_t i = 0; i < plan->group_count; i++) {
        char label[LABEL_BYTES];
        check_group_label(&plan->groups[i], label, sizeof(label));
        if (report->groups[i].finding_count == 0) {
            print_passed(out, label, report, i);
        } else {
            print_findings(out, label, &report->groups[i]);
        }
        if (report->splits != NULL && report->splits[i].part_count > 0) {
            print_split(out, label, report, i);
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

/* What of a proxy's log was not judged, whatever the verdict on the rest. */
static void print_proxy_log(FILE *out, const struct check_report *report)
{
    const struct check_proxy_log *log = &report->proxy;
    char words[CHECK_TEXT_BYTES];
    if (report->run->plan->command == CHECK_STICKY && log->streams > 0) {
        print_line(out, CLI_WARN, CLI_MARK_WARN,
                   "Not checked: %" PRIu64 " streams by the proxy's log, which says where a stream "
                   "was sent, and not that its messages stayed there",
                   log->streams);
        return;
    }
    if (log->refused > 0) {
        struct sentence text = sentence_begin(words, sizeof(words));
        check_add_refusals(&text, log);
        print_line(out, CLI_WARN, CLI_MARK_WARN, "Refused by the proxy, not judged: %s", words);
    }
    if (log->unanswered > 0) {
        print_line(out, CLI_WARN, CLI_MARK_WARN,
                   "Sent on by the proxy and not answered, not judged: %" PRIu64 " streams",
                   log->unanswered);
    }
    if (log->other_paths > 0) {
        print_line(out, CLI_WARN, CLI_MARK_WARN,
                   "Of other paths than --method's, not judged: %" PRIu64 " streams, first %s",
                   log->other_paths, log->other_path);
    }
}

/* Whether the pod answered versions that it does not belong to: then the target is a server, or
 * sends everything to one, and not a proxy that cannot see more of them. */
static bool answers_others(const struct check_report *report, uint32_t pod)
{
    for (size_t i = 0; i < report->run->plan->group_count; i++) {
        const struct check_verdict *verdict = &report->groups[i];
        for (size_t a = 0; a < verdict->answer_count; a++) {
            const char *version =
                check_names_text(&report->run->names, verdict->answers[a].server_version);
            if (verdict->answers[a].server_id == pod &&
                role_expectation_forbids(&report->run->plan->groups[i].expect, version)) {
                return true;
            }
        }
    }
    return false;
}

/* The one pod that answered all streams which belong to the servers of group `first`, or
 * CHECK_NAME_EMPTY when there were several, too few streams, or the group is not the first of its
 * servers. */
static uint32_t single_pod(const struct check_report *report, size_t first)
{
    struct check_pods pods;
    check_report_pods(report, first, &pods);
    bool single = pods.first_of_servers && pods.count == 1 && pods.streams >= SPREAD_STREAMS &&
                  !answers_others(report, pods.all[0]);
    return single ? pods.all[0] : CHECK_NAME_EMPTY;
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

/* How much chance had a part in which pods were met. */
static void print_order(FILE *out, const struct check_report *report)
{
    char chance[16];
    const struct check_plan *plan = report->run->plan;
    size_t most = 0;
    size_t streams = SIZE_MAX;
    for (size_t i = 0; i < plan->group_count; i++) {
        struct check_pods pods;
        check_report_pods(report, i, &pods);
        most = pods.count > most ? pods.count : most;
        if (plan->groups[i].kind == CHECK_GROUP_VERSION &&
            report->groups[i].streams_done < streams) {
            streams = report->groups[i].streams_done;
        }
    }
    if (!plan->shuffled || most < 2 || streams == 0) {
        return;
    }
    fprintf(out,
            "Order shuffled (--seed %" PRIu64 "): the %zu stream%s of a version meet all %zu pods "
            "of its servers with a probability of %s (more: --streams)\n",
            plan->seed, streams, streams == 1 ? "" : "s", most,
            text_format_percent(chance, sizeof(chance), check_coverage(streams, most)));
}

/* How sure the verdict on the weights is, and what it is about. */
static void print_split_end(FILE *out, const struct check_report *report)
{
    size_t judgements = check_split_judgements(report->run->plan);
    char sure[16];
    char alarms[16];
    if (report->splits == NULL || judgements == 0) {
        return;
    }
    fprintf(out,
            "Split judged on new streams, each on a connection of its own: %zu exact binomial "
            "interval%s of %s, at most %s of false alarms in all%s\n",
            judgements, judgements == 1 ? "" : "s",
            text_format_percent(sure, sizeof(sure), 1 - SPLIT_ALARM / (double)judgements),
            text_format_percent(alarms, sizeof(alarms), SPLIT_ALARM),
            report->run->plan->hold_ms > 0
                ? "; a change of weights moves only new streams, so live ones keep their shares"
                : "");
}

static void print_verify_end(FILE *out, const struct check_report *report)
{
    char text[CHECK_TEXT_BYTES];
    bool passed = report->result == CHECK_PASSED;
    bool failed = report->result == CHECK_FAILED;
    print_line(out,
               passed   ? CLI_GOOD
               : failed ? CLI_BAD
                        : CLI_WARN,
               passed   ? CLI_MARK_DONE
               : failed ? CLI_MARK_BAD
                        : CLI_MARK_WARN,
               "%s", check_summary(report, text, sizeof(text)));
}

void check_print_begin(FILE *out, const struct check_plan *plan)
{
    if (plan->stream_count == 1) {
        fprintf(out, "Testing sticky routing for %s...\n", plan->streams[0].agent_id);
    } else {
        fprintf(out, "Testing sticky routing for %s to %s...\n", plan->streams[0].agent_id,
                plan->streams[plan->stream_count - 1].agent_id);
    }
    cli_flush(out);
}

static void print_agent(FILE *out, const struct check_report *report, size_t stream)
{
    const struct check_run *run = report->run;
    const struct check_verdict *verdict = &report->groups[run->plan->streams[stream].group];
    if (verdict->finding_count > 0) {
        print_findings(out, run->plan->streams[stream].agent_id, verdict);
    }
    if (!check_is_sticky(verdict)) {
        return;
    }
    char pod[CHECK_TEXT_BYTES];
    struct sentence text = sentence_begin(pod, sizeof(pod));
    sentence_add(&text, "%s", check_names_text(&run->names, verdict->answers[0].server_id));
    if (run->plan->service != NULL) {
        check_service_add_unchecked(&text, verdict->unchecked);
    }
    add_rewrite(&text, &run->plan->groups[run->plan->streams[stream].group].expect.rewrite);
    if (run->plan->stream_count == 1) {
        print_line(out, CLI_GOOD, CLI_MARK_GOOD, "All %" PRIu64 " messages routed to same pod: %s",
                   verdict->received, pod);
    } else {
        print_line(out, CLI_GOOD, CLI_MARK_GOOD,
                   "%s: all %" PRIu64 " messages routed to same pod: %s",
                   run->plan->streams[stream].agent_id, verdict->received, pod);
    }
}

void check_print_text(FILE *out, const void *printed)
{
    const struct check_report *report = printed;
    char text[CHECK_TEXT_BYTES];
    if (report->result == CHECK_NOT_CONNECTED) {
        return;
    }
    if (report->run->plan->command == CHECK_VERIFY) {
        print_version_groups(out, report);
        print_unchecked(out, report);
        print_proxy_log(out, report);
        print_single_pods(out, report);
        print_order(out, report);
        print_split_end(out, report);
        print_verify_end(out, report);
        return;
    }
    for (size_t i = 0; i < report->run->plan->stream_count; i++) {
        print_agent(out, report, i);
    }
    print_unchecked(out, report);
    print_proxy_log(out, report);
    fprintf(out, "%s\n", check_summary(report, text, sizeof(text)));
}
