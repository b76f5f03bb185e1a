/* From log events to verdicts. One line proves a fault; passing needs a stream and enough answers,
 * and silence is never a pass. */
#include "check/log_judge.h"

#include "base/mem.h"
#include "base/text.h"
#include "check/explain.h"
#include "check/sentence.h"
#include "cli/exit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NO_GROUP SIZE_MAX

void check_logs_init(struct check_logs *logs, struct check_run *run, struct check_plan *plan,
                     check_log_add_version *add_version, void *user)
{
    *logs = (struct check_logs){
        .run = run,
        .plan = plan,
        .add_version = add_version,
        .user = user,
        .groups = mem_calloc(CHECK_LOG_GROUPS, sizeof(struct check_log_group)),
        .agents = mem_calloc(CHECK_LOG_NAMES + 2, sizeof(struct check_log_agent)),
    };
    check_names_deinit(&run->names);
    check_names_init(&run->names, CHECK_LOG_NAMES);
}

void check_logs_deinit(struct check_logs *logs)
{
    for (size_t i = 0; i < logs->run->names.count; i++) {
        free(logs->agents[i].moved);
        free(logs->agents[i].seen_wrong);
        free(logs->agents[i].seen_mixed);
    }
    free(logs->groups);
    free(logs->agents);
}

static size_t find_group(const struct check_logs *logs, const char *version)
{
    const struct check_plan *plan = logs->plan;
    for (size_t i = 0; i < plan->group_count; i++) {
        if (strcmp(plan->groups[i].agent_version, version) == 0) {
            return i;
        }
    }
    return NO_GROUP;
}

/* For the version of an agent's own log: one that was not asked for is added if the owner has an
 * expectation. */
static size_t find_own_group(struct check_logs *logs, const char *version)
{
    size_t found = find_group(logs, version);
    size_t count = logs->plan->group_count;
    if (found == NO_GROUP && logs->add_version != NULL && count < CHECK_LOG_GROUPS) {
        logs->add_version(logs->user, logs->plan, version);
        if (logs->plan->group_count > count) {
            logs->groups[count].extra = true;
            found = count;
        }
    }
    return found;
}

static struct check_log_agent *find_agent(struct check_logs *logs, const char *id)
{
    uint32_t name = check_names_add(&logs->run->names, id);
    if (name == CHECK_NAME_OTHER) {
        logs->dropped++;
        return NULL;
    }
    return &logs->agents[name];
}

/* Counts, and keeps the first line that shows it. */
static void prove(struct check_log_fault *fault, const struct check_log_event *event)
{
    if (fault->count++ == 0) {
        text_escape(fault->line, sizeof(fault->line), event->line, event->line_len);
    }
}

static void count_answer(struct check_log_group *group, uint32_t version, uint32_t id)
{
    for (size_t i = 0; i < group->answer_count; i++) {
        if (group->answers[i].server_version == version && group->answers[i].server_id == id) {
            group->answers[i].messages++;
            return;
        }
    }
    if (group->answer_count == CHECK_ANSWERS_MAX) {
        group->other_answers++;
        return;
    }
    group->answers[group->answer_count++] = (struct check_answer){version, id, 1};
}

static bool is_wrong_server(const struct check_logs *logs, size_t group, const char *server)
{
    const struct role_expectation *expect = &logs->plan->groups[group].expect;
    return expect->rule == ROLE_EXPECT_REJECTED ||
           (expect->rule == ROLE_EXPECT_SERVER && !role_expectation_allows(expect, server));
}

static void prove_later(struct check_log_fault **fault, const struct check_log_event *event)
{
    if (*fault == NULL) {
        *fault = mem_new(struct check_log_fault);
    }
    prove(*fault, event);
}

/* An id belongs to one version, whoever tells it: a second one means that metadata of two streams
 * were mixed. Returns whether this is a second one. */
static bool tell_version(struct check_log_agent *agent, bool own, uint32_t version)
{
    uint32_t *told = own ? &agent->own_version : &agent->seen_version;
    uint32_t other = own ? agent->seen_version : agent->own_version;
    bool differs = (*told != CHECK_NAME_EMPTY && *told != version) ||
                   (other != CHECK_NAME_EMPTY && other != version);
    if (*told == CHECK_NAME_EMPTY) {
        *told = version;
    }
    return differs;
}

/* A log whose front was cut begins within a stream: from its first answer on that is judged like
 * any other. */
static void follow_stream(struct check_log_agent *agent, uint32_t pod, uint32_t pod_version,
                          struct check_log_group *group, const struct check_log_event *event)
{
    if (agent->streak == 0) {
        agent->pod = pod;
        agent->pod_version = pod_version;
    } else if (agent->pod != pod || agent->pod_version != pod_version) {
        prove_later(&agent->moved, event);
        if (group != NULL) {
            prove(&group->moved, event);
        }
    }
    agent->streak++;
    if (agent->streak > agent->best) {
        agent->best = agent->streak;
        agent->best_pod = agent->pod;
        agent->best_pod_version = agent->pod_version;
    }
}

static void take_agent_line(struct check_logs *logs, const struct check_log_event *event)
{
    logs->agent_lines++;
    size_t number = find_own_group(logs, event->version);
    struct check_log_group *group = number != NO_GROUP ? &logs->groups[number] : NULL;
    struct check_log_agent *agent = find_agent(logs, event->id);
    if (agent != NULL &&
        tell_version(agent, true, check_names_add(&logs->run->names, event->version)) &&
        group != NULL) {
        prove(&group->mixed, event);
    }
    if (event->kind == CHECK_LOG_AGENT_OPENED) {
        if (agent != NULL) {
            agent->streak = 0;
        }
        if (group != NULL) {
            group->opened++;
        }
        return;
    }
    uint32_t version = check_names_add(&logs->run->names, event->peer_version);
    uint32_t pod = check_names_add(&logs->run->names, event->peer_id);
    if (agent != NULL) {
        follow_stream(agent, pod, version, group, event);
    }
    if (group != NULL) {
        group->pongs++;
        count_answer(group, version, pod);
        if (is_wrong_server(logs, number, event->peer_version)) {
            prove(&group->wrong, event);
        }
    }
}

static void take_server_line(struct check_logs *logs, const struct check_log_event *event)
{
    logs->server_lines++;
    if (logs->plan->rewritten) {
        return; /* whose it is cannot be told */
    }
    size_t number = find_group(logs, event->peer_version);
    struct check_log_agent *agent = find_agent(logs, event->peer_id);
    if (agent != NULL && event->peer_id[0] != '\0' &&
        tell_version(agent, false, check_names_add(&logs->run->names, event->peer_version))) {
        agent->seen_group = number != NO_GROUP ? number : agent->seen_group;
        prove_later(&agent->seen_mixed, event);
    }
    if (number == NO_GROUP) {
        return;
    }
    logs->groups[number].seen_opened += event->kind == CHECK_LOG_SERVER_OPENED;
    logs->groups[number].seen_pings += event->kind == CHECK_LOG_PING;
    if (agent != NULL && is_wrong_server(logs, number, event->version)) {
        agent->seen_group = number;
        prove_later(&agent->seen_wrong, event);
    }
}

void check_logs_take(void *user, const struct check_log_event *event)
{
    bool of_agent = event->kind == CHECK_LOG_AGENT_OPENED || event->kind == CHECK_LOG_PONG;
    (of_agent ? take_agent_line : take_server_line)(user, event);
}

void check_logs_add_source(struct check_logs *logs, const struct check_log_reader *reader)
{
    logs->lines += reader->lines;
    check_log_add_unread(&logs->unread, &reader->unread);
}

/* ---- verdicts -------------------------------------------------------------------------------- */

static struct sentence add_finding(struct check_verdict *verdict, enum check_kind kind,
                                   enum check_result result, uint64_t count)
{
    struct check_finding *finding = &verdict->findings[verdict->finding_count++];
    finding->kind = kind;
    finding->result = result;
    finding->count = count;
    verdict->result = result > verdict->result ? result : verdict->result;
    return sentence_begin(finding->text, sizeof(finding->text));
}

static bool has_wrong_answer(const struct check_logs *logs, const struct role_expectation *expect,
                             const struct check_verdict *verdict)
{
    for (size_t i = 0; i < verdict->answer_count; i++) {
        const char *version =
            check_names_text(&logs->run->names, verdict->answers[i].server_version);
        if (!role_expectation_allows(expect, version)) {
            return true;
        }
    }
    return false;
}

static void find_wrong(const struct check_logs *logs, size_t number, struct check_verdict *verdict)
{
    const struct check_log_group *group = &logs->groups[number];
    const struct role_expectation *expect = &logs->plan->groups[number].expect;
    char expected[ROLE_EXPECT_MAX * CHECK_VERSION_BYTES];
    if (group->wrong.count == 0) {
        return;
    }
    struct sentence text = add_finding(verdict, CHECK_VERSION, CHECK_FAILED, group->wrong.count);
    sentence_add(&text, "expected %s %s", expect->version_count > 0 ? "server" : "a rejection",
                 role_expectation_text(expect, expected, sizeof(expected)));
    if (has_wrong_answer(logs, expect, verdict)) {
        sentence_add(&text, ", answered by ");
        check_explain_answers(&text, logs->run, verdict, expect);
    }
    sentence_add(&text, "; %" PRIu64 " lines show it, first: %s", group->wrong.count,
                 group->wrong.line);
}

static void find_mixing(const struct check_log_group *group, struct check_verdict *verdict)
{
    if (group->mixed.count > 0) {
        struct sentence text =
            add_finding(verdict, CHECK_ISOLATION, CHECK_FAILED, group->mixed.count);
        sentence_add(&text,
                     "an agent-id was seen with two versions in %" PRIu64 " lines, first: %s",
                     group->mixed.count, group->mixed.line);
    }
}

static void find_move(const struct check_log_fault *moved, struct check_verdict *verdict)
{
    if (moved != NULL && moved->count > 0) {
        struct sentence text = add_finding(verdict, CHECK_STICKINESS, CHECK_FAILED, moved->count);
        sentence_add(&text, "a stream moved between pods: %" PRIu64 " messages, first: %s",
                     moved->count, moved->line);
    }
}

/* What was there and could not be read may hold a fault. */
static void find_losses(const struct check_logs *logs, struct check_verdict *verdict)
{
    if (verdict->result == CHECK_FAILED || (logs->unread.lost == 0 && !logs->incomplete)) {
        return;
    }
    struct sentence text = add_finding(verdict, CHECK_EVIDENCE, CHECK_NO_EVIDENCE, 1);
    if (logs->unread.lost > 0) {
        sentence_add(&text,
                     "%" PRIu64 " of %" PRIu64
                     " log lines were not understood and may be evidence, first: %s",
                     logs->unread.lost, logs->lines, logs->unread.quote);
    } else {
        sentence_add(&text, "not all logs could be read%s",
                     logs->late ? " before --timeout" : "");
    }
}

/* A fault is a fault; without one, what was not seen keeps the verdict open. */
static void find_gaps(const struct check_logs *logs, const struct check_log_group *group,
                      struct check_verdict *verdict)
{
    uint64_t wanted = logs->plan->messages;
    bool enough = group->extra || (verdict->streams > 0 && verdict->received >= wanted);
    find_losses(logs, verdict);
    if (verdict->result != CHECK_PASSED) {
        /* a finding of a kind is told once */
    } else if (logs->dropped > 0) {
        struct sentence text = add_finding(verdict, CHECK_EVIDENCE, CHECK_NO_EVIDENCE, 1);
        sentence_add(&text,
                     "more than %d names in the logs: %" PRIu64
                     " lines were not compared; judge them in parts",
                     CHECK_LOG_NAMES, logs->dropped);
    } else if (!enough) {
        struct sentence text = add_finding(verdict, CHECK_EVIDENCE, CHECK_NO_EVIDENCE, 1);
        sentence_add(&text,
                     "not enough evidence in the logs: %zu \"Stream opened\" lines (1 needed), "
                     "%" PRIu64 " messages (%" PRIu64 " needed)",
                     verdict->streams, verdict->received, wanted);
    }
    if (logs->agent_lines == 0 || logs->server_lines == 0 || logs->plan->rewritten) {
        verdict->unchecked |= 1U << CHECK_ISOLATION;
    }
    if (logs->agent_lines == 0) {
        verdict->unchecked |= 1U << CHECK_STICKINESS;
    }
}

static void judge_group(const struct check_logs *logs, size_t number, struct check_verdict *verdict)
{
    const struct check_log_group *group = &logs->groups[number];
    bool of_agents = logs->agent_lines > 0 && !(group->extra && group->pongs == 0);
    verdict->streams = (size_t)(of_agents ? group->opened : group->seen_opened);
    verdict->streams_done = verdict->streams;
    verdict->received = of_agents ? group->pongs : group->seen_pings;
    verdict->sent = verdict->received;
    memcpy(verdict->answers, group->answers, sizeof(group->answers));
    verdict->answer_count = group->answer_count;
    verdict->other_answers = group->other_answers;
    find_wrong(logs, number, verdict);
    find_mixing(group, verdict);
    find_move(&group->moved, verdict);
    find_gaps(logs, group, verdict);
}

/* The report's result is that of the worst group. */
static void conclude(const struct check_logs *logs, struct check_report *report, size_t count)
{
    report->logs.lines = logs->lines;
    report->logs.not_understood = logs->unread.lines;
    report->logs.lost = logs->unread.lost;
    memcpy(report->logs.quote, logs->unread.quote, sizeof(report->logs.quote));
    for (size_t i = 0; i < count; i++) {
        if (report->groups[i].result > report->result) {
            report->result = report->groups[i].result;
        }
    }
    report->exit_code = report->result == CHECK_FAILED        ? EXIT_CHECK_FAILED
                        : report->result == CHECK_NO_EVIDENCE ? EXIT_NO_EVIDENCE
                                                              : EXIT_GOOD;
}

static void add_fault(struct check_log_fault *into, const struct check_log_fault *from)
{
    if (from != NULL) {
        if (into->count == 0) {
            memcpy(into->line, from->line, sizeof(into->line));
        }
        into->count += from->count;
    }
}

/* What servers say of an agent counts once it is known that the agent is one of ours. */
static void count_what_servers_saw(struct check_logs *logs)
{
    for (size_t name = 0; name < logs->run->names.count; name++) {
        const struct check_log_agent *agent = &logs->agents[name];
        bool ours = logs->agent_lines == 0 || agent->own_version != CHECK_NAME_EMPTY;
        if (ours && agent->seen_group < logs->plan->group_count) {
            add_fault(&logs->groups[agent->seen_group].wrong, agent->seen_wrong);
            add_fault(&logs->groups[agent->seen_group].mixed, agent->seen_mixed);
        }
    }
}

void check_logs_verify(struct check_logs *logs, struct check_report *ret_report)
{
    size_t count = logs->plan->group_count;
    count_what_servers_saw(logs);
    *ret_report = (struct check_report){
        .run = logs->run,
        .result = CHECK_PASSED,
        .groups = mem_calloc(count, sizeof(struct check_verdict)),
    };
    for (size_t i = 0; i < count; i++) {
        judge_group(logs, i, &ret_report->groups[i]);
    }
    conclude(logs, ret_report, count);
}

static bool is_asked_for(const struct check_logs *logs, size_t name, const char *prefix)
{
    return logs->agents[name].own_version != CHECK_NAME_EMPTY &&
           strncmp(check_names_text(&logs->run->names, (uint32_t)name), prefix, strlen(prefix)) ==
               0;
}

static void judge_agent(const struct check_logs *logs, const struct check_log_agent *agent,
                        struct check_verdict *verdict)
{
    uint64_t wanted = logs->plan->messages;
    verdict->streams = verdict->streams_done = 1;
    verdict->sent = verdict->received = agent->best;
    verdict->answers[0] =
        (struct check_answer){agent->best_pod_version, agent->best_pod, agent->best};
    verdict->answer_count = 1;
    find_move(agent->moved, verdict);
    if (agent->best >= wanted) {
        find_losses(logs, verdict);
    } else if (verdict->result != CHECK_FAILED) {
        struct sentence text = add_finding(verdict, CHECK_EVIDENCE, CHECK_NO_EVIDENCE, 1);
        sentence_add(&text,
                     "not enough evidence in the logs: %" PRIu64 " messages on one stream (%" PRIu64
                     " needed)",
                     agent->best, wanted);
    }
}

/* A stream of the plan, as if it had been probed. */
static void add_stream(const struct check_logs *logs, uint32_t name)
{
    const struct check_log_agent *agent = &logs->agents[name];
    struct check_run *run = logs->run;
    check_plan_add_agents(logs->plan, check_names_text(&run->names, agent->own_version),
                          check_names_text(&run->names, name), 1);
    size_t count = logs->plan->stream_count;
    run->streams = mem_realloc(run->streams, count * sizeof(*run->streams));
    run->streams[count - 1] = (struct check_observation){
        .opened = true, .agent_id = name, .agent_version = agent->own_version};
}

void check_logs_sticky(const struct check_logs *logs, const char *prefix,
                       struct check_report *ret_report)
{
    const struct check_names *names = &logs->run->names;
    *ret_report = (struct check_report){
        .run = logs->run,
        .result = CHECK_PASSED,
        .groups = mem_calloc(names->count, sizeof(struct check_verdict)),
    };
    for (size_t name = 0; name < names->count; name++) {
        if (is_asked_for(logs, name, prefix)) {
            add_stream(logs, (uint32_t)name);
            judge_agent(logs, &logs->agents[name],
                        &ret_report->groups[logs->plan->group_count - 1]);
        }
    }
    conclude(logs, ret_report, logs->plan->group_count);
    if (logs->plan->group_count == 0 || (logs->dropped > 0 && ret_report->result == CHECK_PASSED)) {
        ret_report->result = CHECK_NO_EVIDENCE;
        ret_report->exit_code = EXIT_NO_EVIDENCE;
    }
}

size_t check_logs_unknown_agents(const struct check_logs *logs)
{
    size_t count = 0;
    for (size_t name = 0; logs->agent_lines > 0 && name < logs->run->names.count; name++) {
        const struct check_log_agent *agent = &logs->agents[name];
        count += agent->seen_version != CHECK_NAME_EMPTY && agent->own_version == CHECK_NAME_EMPTY;
    }
    return count;
}
