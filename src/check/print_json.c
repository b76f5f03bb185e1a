/* The report's part of the envelope. Every text is valid UTF-8 without controls. */
#include "check/print.h"

#include "base/text.h"
#include "check/pods.h"
#include "check/split_json.h"
#include "role/service_json.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

#define LABEL_BYTES 400

static cJSON *json_versions(const struct role_expectation *expect)
{
    cJSON *versions = cJSON_CreateArray();
    for (size_t i = 0; i < expect->version_count; i++) {
        cJSON_AddItemToArray(versions, cJSON_CreateString(expect->versions[i]));
    }
    return versions;
}

static const char *rule_label(enum role_expect_rule rule)
{
    static const char *const labels[] = {
        [ROLE_EXPECT_ANY] = "any_server",    [ROLE_EXPECT_SERVER] = "server",
        [ROLE_EXPECT_REJECTED] = "rejected", [ROLE_EXPECT_REPORT] = "report_only",
        [ROLE_EXPECT_UNKNOWN] = "unknown",
    };
    return labels[rule];
}

static cJSON *json_answers(const struct check_run *run, const struct check_verdict *verdict)
{
    cJSON *answers = cJSON_CreateArray();
    for (size_t i = 0; i < verdict->answer_count; i++) {
        const struct check_answer *answer = &verdict->answers[i];
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "server_version",
                                check_names_text(&run->names, answer->server_version));
        cJSON_AddStringToObject(object, "server_id",
                                check_names_text(&run->names, answer->server_id));
        cJSON_AddNumberToObject(object, "messages", (double)answer->messages);
        cJSON_AddItemToArray(answers, object);
    }
    return answers;
}

/* A sentence for people, with a peer's UTF-8 as such. */
static void add_readable(cJSON *object, const char *name, const char *text)
{
    char shown[CHECK_TEXT_BYTES];
    snprintf(shown, sizeof(shown), "%s", text);
    text_make_readable(shown);
    cJSON_AddStringToObject(object, name, shown);
}

static cJSON *json_findings(const struct check_verdict *verdict)
{
    cJSON *findings = cJSON_CreateArray();
    for (size_t i = 0; i < verdict->finding_count; i++) {
        const struct check_finding *finding = &verdict->findings[i];
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "check", check_kind_label(finding->kind));
        cJSON_AddStringToObject(object, "result", check_result_label(finding->result));
        cJSON_AddNumberToObject(object, "count", (double)finding->count);
        add_readable(object, "text", finding->text);
        cJSON_AddItemToArray(findings, object);
    }
    return findings;
}

static cJSON *json_unchecked(const struct role_expectation *expect,
                             const struct check_verdict *verdict)
{
    cJSON *unchecked = cJSON_CreateArray();
    if (expect->rule == ROLE_EXPECT_UNKNOWN) {
        cJSON_AddItemToArray(unchecked, cJSON_CreateString(check_kind_label(CHECK_VERSION)));
    }
    for (unsigned kind = 0; kind < CHECK_KIND_COUNT; kind++) {
        if ((verdict->unchecked & 1U << kind) != 0) {
            cJSON_AddItemToArray(unchecked,
                                 cJSON_CreateString(check_kind_label((enum check_kind)kind)));
        }
    }
    return unchecked;
}

static void add_agent_version(cJSON *object, const struct check_group *group)
{
    cJSON *values = cJSON_AddArrayToObject(object, "agent_version");
    if (group->header == CHECK_HEADER_ONCE) {
        cJSON_AddItemToArray(values, cJSON_CreateString(group->agent_version));
    } else if (group->header == CHECK_HEADER_TWICE) {
        cJSON_AddItemToArray(values, cJSON_CreateString(CHECK_TWICE_FIRST));
        cJSON_AddItemToArray(values, cJSON_CreateString(CHECK_TWICE_SECOND));
    }
}

static void add_change(cJSON *list, const struct route_change *change)
{
    static const char *const kinds[] = {
        [ROUTE_HEADER_SET] = "set", [ROUTE_HEADER_ADD] = "add", [ROUTE_HEADER_REMOVE] = "remove"};
    if (change == NULL) {
        return;
    }
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "header", change->name);
    cJSON_AddStringToObject(object, "change", kinds[change->kind]);
    if (change->value != NULL) {
        cJSON_AddStringToObject(object, "value", change->value);
    }
    cJSON_AddItemToArray(list, object);
}

static cJSON *json_rewrite(const struct role_rewrite *rewrite)
{
    cJSON *list = cJSON_CreateArray();
    add_change(list, rewrite->version);
    add_change(list, rewrite->id);
    return list;
}

/* Pods of the same servers that only other versions reached. */
static cJSON *json_missed(const struct check_report *report, size_t number)
{
    struct check_pods pods;
    cJSON *missed = cJSON_CreateArray();
    check_report_pods(report, number, &pods);
    for (size_t i = 0; i < pods.missed_count; i++) {
        cJSON_AddItemToArray(
            missed, cJSON_CreateString(check_names_text(&report->run->names, pods.missed[i])));
    }
    return missed;
}

/* The probability that the group's streams met all of those pods; null where none is known. */
static cJSON *json_coverage(const struct check_report *report, size_t number)
{
    struct check_pods pods;
    check_report_pods(report, number, &pods);
    return pods.count > 0
               ? cJSON_CreateNumber(check_coverage(report->groups[number].streams_done, pods.count))
               : cJSON_CreateNull();
}

/* What a proxy's log says of the streams of a version. */
static cJSON *json_proxied(const struct check_run *run, const struct check_proxied *proxied)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "answered", (double)proxied->answered);
    cJSON_AddNumberToObject(object, "right", (double)proxied->right);
    cJSON_AddNumberToObject(object, "wrong", (double)proxied->wrong);
    cJSON_AddNumberToObject(object, "not_checked", (double)proxied->unknown);
    cJSON_AddNumberToObject(object, "disputed", (double)proxied->disputed);
    cJSON_AddNumberToObject(object, "not_answered", (double)proxied->unanswered);
    cJSON_AddNumberToObject(object, "refused", (double)proxied->refused);
    cJSON *endpoints = cJSON_AddArrayToObject(object, "endpoints");
    for (size_t i = 0; i < proxied->endpoint_count; i++) {
        const struct check_endpoint *endpoint = &proxied->endpoints[i];
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "cluster", check_names_text(&run->names, endpoint->cluster));
        cJSON_AddStringToObject(item, "address", check_names_text(&run->names, endpoint->address));
        cJSON_AddNumberToObject(item, "streams", (double)endpoint->streams);
        cJSON_AddNumberToObject(item, "wrong", (double)endpoint->wrong);
        cJSON_AddItemToArray(endpoints, item);
    }
    cJSON_AddNumberToObject(object, "to_other_endpoints", (double)proxied->other_endpoints);
    return object;
}

static cJSON *json_group(const struct check_report *report, size_t number, bool not_connected)
{
    const struct check_run *run = report->run;
    const struct check_group *group = &run->plan->groups[number];
    const struct check_verdict *verdict = &report->groups[number];
    char label[LABEL_BYTES];
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", check_group_label(group, label, sizeof(label)));
    add_agent_version(object, group);
    cJSON_AddStringToObject(object, "expected", rule_label(group->expect.rule));
    cJSON_AddItemToObject(object, "expected_versions", json_versions(&group->expect));
    if (group->expect.reason[0] != '\0') {
        cJSON_AddStringToObject(object, "expected_because", group->expect.reason);
    }
    if (role_rewrites(&group->expect.rewrite)) {
        cJSON_AddItemToObject(object, "metadata_rewritten", json_rewrite(&group->expect.rewrite));
    }
    cJSON_AddStringToObject(
        object, "result",
        check_result_label(not_connected ? CHECK_NOT_CONNECTED : verdict->result));
    if (verdict->outcome[0] != '\0') {
        add_readable(object, "outcome", verdict->outcome);
    }
    cJSON_AddNumberToObject(object, "streams", (double)verdict->streams);
    cJSON_AddNumberToObject(object, "streams_done", (double)verdict->streams_done);
    cJSON_AddNumberToObject(object, "messages_sent", (double)verdict->sent);
    cJSON_AddNumberToObject(object, "messages_answered", (double)verdict->received);
    cJSON_AddItemToObject(object, "answers", json_answers(run, verdict));
    if (group->kind == CHECK_GROUP_VERSION && !run->plan->from_logs) {
        cJSON_AddItemToObject(object, "pods_not_met", json_missed(report, number));
        cJSON_AddItemToObject(object, "pods_coverage", json_coverage(report, number));
    }
    if (report->splits != NULL && group->kind == CHECK_GROUP_VERSION) {
        cJSON_AddItemToObject(object, "split", check_split_json(report, number));
    }
    if (report->proxy.streams > 0 && run->plan->command == CHECK_VERIFY) {
        cJSON_AddItemToObject(object, "proxy_log", json_proxied(run, &verdict->proxied));
    }
    cJSON_AddItemToObject(object, "findings", json_findings(verdict));
    cJSON_AddItemToObject(object, "not_checked", json_unchecked(&group->expect, verdict));
    return object;
}

/* Who the stream was and that it was one: sticky-test's evidence. */
static cJSON *json_stream(const struct check_run *run, size_t stream)
{
    const struct check_observation *seen = &run->streams[stream];
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "agent_id", check_names_text(&run->names, seen->agent_id));
    cJSON_AddNumberToObject(object, "times_opened", seen->opened ? 1 : 0);
    cJSON_AddNumberToObject(object, "open_ns", (double)seen->open_ns);
    return object;
}

/* All streams that it has. */
static void add_proxy_log(cJSON *logs, const struct check_proxy_log *log)
{
    if (log->streams + log->other_paths == 0) {
        return;
    }
    cJSON *object = cJSON_AddObjectToObject(logs, "proxy_log");
    cJSON_AddNumberToObject(object, "streams", (double)log->streams);
    cJSON_AddNumberToObject(object, "refused", (double)log->refused);
    cJSON_AddNumberToObject(object, "not_answered", (double)log->unanswered);
    cJSON_AddNumberToObject(object, "not_judged", (double)log->unjudged);
    cJSON_AddNumberToObject(object, "other_paths", (double)log->other_paths);
    cJSON *reasons = cJSON_AddArrayToObject(object, "refusals");
    for (size_t i = 0; i < log->reason_count; i++) {
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "reason", log->reasons[i].text);
        cJSON_AddNumberToObject(item, "streams", (double)log->reasons[i].streams);
        cJSON_AddItemToArray(reasons, item);
    }
}

static void add_logs(cJSON *object, const struct check_logs_read *read,
                     const struct check_proxy_log *log)
{
    cJSON *logs = cJSON_AddObjectToObject(object, "logs");
    cJSON_AddNumberToObject(logs, "lines", (double)read->lines);
    cJSON_AddNumberToObject(logs, "not_understood", (double)read->not_understood);
    cJSON_AddNumberToObject(logs, "may_be_evidence", (double)read->lost);
    cJSON_AddNumberToObject(logs, "unknown_carrier", (double)read->strange);
    cJSON_AddNumberToObject(logs, "without_beginning", (double)read->tails);
    if (read->not_understood > 0) {
        cJSON_AddStringToObject(logs, "first_not_understood", read->quote);
    }
    add_proxy_log(logs, log);
}

void check_print_json(struct cJSON *object, const void *printed)
{
    const struct check_report *report = printed;
    const struct check_run *run = report->run;
    bool not_connected = report->result == CHECK_NOT_CONNECTED;
    if (run->plan->service != NULL) {
        role_service_add_json(object, run->plan->service);
    }
    if (run->plan->from_logs) {
        add_logs(object, &report->logs, &report->proxy);
    }
    if (run->plan->shuffled) {
        cJSON_AddNumberToObject(object, "seed", (double)run->plan->seed);
    }
    cJSON *groups = cJSON_AddArrayToObject(object, "checks");
    for (size_t i = 0; i < run->plan->group_count; i++) {
        cJSON *group = json_group(report, i, not_connected);
        if (run->plan->command == CHECK_STICKY) {
            cJSON_AddItemToObject(group, "stream", json_stream(run, i));
        }
        cJSON_AddItemToArray(groups, group);
    }
}
