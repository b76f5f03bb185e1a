/* The report as a page: which version met which pods. */
#include "check/print.h"

#include "base/text.h"
#include "check/check_page.h" /* written by inline.py */
#include "check/notes.h"
#include "check/pods.h"
#include "cli/exit.h"
#include "cli/invocation.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_BYTES 400

/* ---- data ------------------------------------------------------------------------------------ */

/* A sentence or a name with a peer's UTF-8 as such. */
static void add_readable(cJSON *object, const char *name, const char *text)
{
    char shown[CHECK_TEXT_BYTES];
    snprintf(shown, sizeof(shown), "%s", text);
    text_make_readable(shown);
    cJSON_AddStringToObject(object, name, shown);
}

/* What an answer of this version is: "expected", "unexpected", or "open" where that is not judged.
 * */
static const char *judged(const struct check_group *group, const char *server_version)
{
    switch (group->expect.rule) {
    case ROLE_EXPECT_REPORT:
    case ROLE_EXPECT_UNKNOWN:
        return "open";
    case ROLE_EXPECT_REJECTED:
        return "unexpected";
    case ROLE_EXPECT_ANY:
    case ROLE_EXPECT_SERVER:
        break;
    }
    return role_expectation_allows(&group->expect, server_version) ? "expected" : "unexpected";
}

static cJSON *json_answers(const struct check_run *run, const struct check_group *group,
                           const struct check_verdict *verdict)
{
    cJSON *answers = cJSON_CreateArray();
    for (size_t i = 0; i < verdict->answer_count; i++) {
        const struct check_answer *answer = &verdict->answers[i];
        const char *version = check_names_text(&run->names, answer->server_version);
        cJSON *object = cJSON_CreateObject();
        add_readable(object, "version", version);
        add_readable(object, "pod", check_names_text(&run->names, answer->server_id));
        cJSON_AddNumberToObject(object, "messages", (double)answer->messages);
        cJSON_AddStringToObject(object, "is", judged(group, version));
        cJSON_AddItemToArray(answers, object);
    }
    return answers;
}

static void add_expected(cJSON *object, const struct check_group *group)
{
    char text[ROLE_EXPECT_MAX * ROLE_VERSION_BYTES];
    switch (group->expect.rule) {
    case ROLE_EXPECT_ANY:
        cJSON_AddStringToObject(object, "expected", "any server");
        break;
    case ROLE_EXPECT_SERVER:
        cJSON_AddStringToObject(object, "expected",
                                role_expectation_text(&group->expect, text, sizeof(text)));
        break;
    case ROLE_EXPECT_REJECTED:
        cJSON_AddStringToObject(object, "expected", "rejected");
        break;
    case ROLE_EXPECT_REPORT:
        cJSON_AddStringToObject(object, "expected", "anything, which is told");
        break;
    case ROLE_EXPECT_UNKNOWN:
        cJSON_AddStringToObject(object, "expected", "not known");
        break;
    }
}

static cJSON *json_findings(const struct check_verdict *verdict)
{
    cJSON *findings = cJSON_CreateArray();
    for (size_t i = 0; i < verdict->finding_count; i++) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "result", check_result_label(verdict->findings[i].result));
        add_readable(object, "text", verdict->findings[i].text);
        cJSON_AddItemToArray(findings, object);
    }
    return findings;
}

static cJSON *json_missed(const struct check_report *report, size_t number)
{
    struct check_pods pods;
    cJSON *missed = cJSON_CreateArray();
    check_report_pods(report, number, &pods);
    for (size_t i = 0; i < pods.missed_count; i++) {
        char shown[CHECK_TEXT_BYTES];
        snprintf(shown, sizeof(shown), "%s", check_names_text(&report->run->names, pods.missed[i]));
        text_make_readable(shown);
        cJSON_AddItemToArray(missed, cJSON_CreateString(shown));
    }
    return missed;
}

static cJSON *json_notes(const struct check_report *report, size_t number)
{
    struct check_notes notes;
    cJSON *list = cJSON_CreateArray();
    check_report_notes(report, number, &notes);
    for (size_t i = 0; i < notes.count; i++) {
        cJSON_AddItemToArray(list, cJSON_CreateString(notes.texts[i]));
    }
    return list;
}

static cJSON *json_group(const struct check_report *report, size_t number)
{
    const struct check_group *group = &report->run->plan->groups[number];
    const struct check_verdict *verdict = &report->groups[number];
    bool not_connected = report->result == CHECK_NOT_CONNECTED;
    char text[LABEL_BYTES];
    cJSON *object = cJSON_CreateObject();
    add_readable(object, "name", check_group_label(group, text, sizeof(text)));
    add_expected(object, group);
    add_readable(object, "because", group->expect.reason);
    cJSON_AddStringToObject(
        object, "result",
        check_result_label(not_connected ? CHECK_NOT_CONNECTED : verdict->result));
    add_readable(object, "outcome", verdict->outcome);
    cJSON_AddNumberToObject(object, "streams", (double)verdict->streams);
    cJSON_AddNumberToObject(object, "streams_done", (double)verdict->streams_done);
    cJSON_AddNumberToObject(object, "sent", (double)verdict->sent);
    cJSON_AddNumberToObject(object, "received", (double)verdict->received);
    cJSON_AddNumberToObject(object, "other_answers", (double)verdict->other_answers);
    cJSON_AddItemToObject(object, "answers", json_answers(report->run, group, verdict));
    bool may_miss = group->kind == CHECK_GROUP_VERSION && !report->run->plan->from_logs;
    cJSON_AddItemToObject(object, "missed",
                          may_miss ? json_missed(report, number) : cJSON_CreateArray());
    cJSON_AddItemToObject(object, "findings", json_findings(verdict));
    cJSON_AddItemToObject(object, "notes", json_notes(report, number));
    add_readable(
        object, "unchecked",
        verdict->unchecked != 0
            ? check_unchecked_text(report->run->plan, verdict->unchecked, text, sizeof(text))
            : "");
    return object;
}

static char *data_of(const struct check_report *report)
{
    const struct check_run *run = report->run;
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "target", run->target);
    cJSON_AddBoolToObject(root, "from_logs", run->plan->from_logs);
    cJSON_AddNumberToObject(root, "duration_ns", (double)run->duration_ns);
    cJSON_AddNumberToObject(root, "log_lines", (double)report->logs.lines);
    cJSON_AddNumberToObject(root, "log_lines_not_understood", (double)report->logs.not_understood);
    add_readable(root, "log_quote", report->logs.quote);
    cJSON_AddNumberToObject(root, "seed", run->plan->shuffled ? (double)run->plan->seed : 0);
    cJSON *groups = cJSON_AddArrayToObject(root, "groups");
    for (size_t i = 0; i < run->plan->group_count; i++) {
        cJSON_AddItemToArray(groups, json_group(report, i));
    }
    char *text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    return text;
}

/* ---- headline -------------------------------------------------------------------------------- */

static size_t count_groups(const struct check_report *report, enum check_result result)
{
    size_t count = 0;
    for (size_t i = 0; i < report->run->plan->group_count; i++) {
        count += report->groups[i].result == result;
    }
    return count;
}

static void say(const struct check_report *report, char out[static CHECK_TEXT_BYTES])
{
    size_t all = report->run->plan->group_count;
    bool sticky = report->run->plan->command == CHECK_STICKY;
    switch (report->result) {
    case CHECK_PASSED:
        snprintf(out, CHECK_TEXT_BYTES, "%s",
                 sticky ? "Every stream stayed on its pod"
                        : "Every version reached its servers, and only those");
        return;
    case CHECK_FAILED:
        snprintf(out, CHECK_TEXT_BYTES, "%zu of %zu checks failed",
                 count_groups(report, CHECK_FAILED), all);
        return;
    case CHECK_NO_EVIDENCE:
        snprintf(out, CHECK_TEXT_BYTES, "%zu of %zu checks lack evidence",
                 count_groups(report, CHECK_NO_EVIDENCE), all);
        return;
    case CHECK_NOT_CONNECTED:
        snprintf(out, CHECK_TEXT_BYTES, "%s", report->reason);
        text_make_readable(out);
        return;
    case CHECK_INTERRUPTED:
        snprintf(out, CHECK_TEXT_BYTES, "Interrupted; this is what was seen until then");
        return;
    }
}

void check_print_page(FILE *out, const void *printed)
{
    const struct check_report *report = printed;
    char headline[CHECK_TEXT_BYTES];
    say(report, headline);
    const struct cli_report about = {
        .command = check_command_name(report->run->plan->command),
        .result = check_result_label(report->result),
        .headline = headline,
        .exit_code = report->exit_code,
    };
    char *data = data_of(report);
    cli_write_page(out, check_html, &about, data);
    cJSON_free(data);
}
