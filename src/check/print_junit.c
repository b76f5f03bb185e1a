/* The report as JUnit XML. Every text is printable ASCII already; only XML's own characters are
 * escaped. */
#include "check/print.h"

#include <string.h>

#define LABEL_BYTES 400

/* Writes `text` for an attribute or an element (XML 1.0 section 2.4). */
static void put_escaped(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            /* Control characters are not allowed in XML at all, not even as references. */
            fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, out);
        }
    }
}

static void put_problem(FILE *out, const char *element, const char *type, const char *text)
{
    fprintf(out, "      <%s type=\"%s\" message=\"", element, type);
    put_escaped(out, text);
    fputs("\">", out);
    put_escaped(out, text);
    fprintf(out, "</%s>\n", element);
}

/* JUnit knows one failure or error per case: the first finding, which is the heaviest, gives its
 * type; the others follow in system-out. */
static void put_findings(FILE *out, const struct check_verdict *verdict)
{
    const struct check_finding *first = &verdict->findings[0];
    put_problem(out, first->result == CHECK_FAILED ? "failure" : "error",
                check_kind_label(first->kind), first->text);
}

static void put_system_out(FILE *out, const struct check_plan *plan,
                           const struct check_verdict *verdict)
{
    char text[CHECK_TEXT_BYTES];
    if (verdict->finding_count < 2 && verdict->unchecked == 0 && verdict->outcome[0] == '\0') {
        return;
    }
    fputs("      <system-out>", out);
    if (verdict->outcome[0] != '\0') {
        put_escaped(out, verdict->outcome);
        fputc('\n', out);
    }
    for (size_t i = 1; i < verdict->finding_count; i++) {
        put_escaped(out, verdict->findings[i].text);
        fputc('\n', out);
    }
    if (verdict->unchecked != 0) {
        fputs("Not checked: ", out);
        put_escaped(out, check_unchecked_text(plan, verdict->unchecked, text, sizeof(text)));
        fputc('\n', out);
    }
    fputs("</system-out>\n", out);
}

static void put_case(FILE *out, const struct check_report *report, size_t group)
{
    const struct check_plan *plan = report->run->plan;
    const struct check_verdict *verdict = &report->groups[group];
    char label[LABEL_BYTES];
    fprintf(out, "    <testcase classname=\"grpcroute.%s\" name=\"",
            check_command_name(plan->command));
    put_escaped(out, check_group_label(&plan->groups[group], label, sizeof(label)));
    if (plan->command == CHECK_STICKY) {
        fputc(' ', out);
        put_escaped(out,
                    check_names_text(&report->run->names, report->run->streams[group].agent_id));
    }
    fprintf(out, "\" time=\"%.3f\">\n", (double)report->run->duration_ns / 1e9);
    if (report->result == CHECK_NOT_CONNECTED) {
        put_problem(out, "error", "not_connected", report->reason);
    } else if (verdict->finding_count > 0) {
        put_findings(out, verdict);
    }
    put_system_out(out, report->run->plan, verdict);
    fputs("    </testcase>\n", out);
}

static size_t count_problems(const struct check_report *report, bool failures)
{
    size_t count = 0;
    for (size_t i = 0; i < report->run->plan->group_count; i++) {
        enum check_result result = report->groups[i].result;
        bool failed = report->result != CHECK_NOT_CONNECTED && result == CHECK_FAILED;
        bool problem = report->result == CHECK_NOT_CONNECTED || result != CHECK_PASSED;
        count += failures ? failed : problem && !failed;
    }
    return count;
}

static void put_suite_begin(FILE *out, const char *element, const struct check_report *report)
{
    fprintf(
        out,
        "<%s name=\"grpcroute %s\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" time=\"%.3f\">\n",
        element, check_command_name(report->run->plan->command), report->run->plan->group_count,
        count_problems(report, true), count_problems(report, false),
        (double)report->run->duration_ns / 1e9);
}

void check_print_junit(FILE *out, const struct check_report *report)
{
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", out);
    put_suite_begin(out, "testsuites", report);
    fputs("  ", out);
    put_suite_begin(out, "testsuite", report);
    fputs("    <properties><property name=\"target\" value=\"", out);
    put_escaped(out, report->run->target);
    fputs("\"/></properties>\n", out);
    for (size_t i = 0; i < report->run->plan->group_count; i++) {
        put_case(out, report, i);
    }
    fputs("  </testsuite>\n</testsuites>\n", out);
}
