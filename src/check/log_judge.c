/* From log events to verdicts. One line proves a fault; passing needs a stream and enough answers,
 * and silence is never a pass. */
#include "check/log_judge.h"

#include "base/mem.h"
#include "base/text.h"
#include "check/sentence.h"
#include "cli/exit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void check_logs_init(struct check_logs *logs, struct check_run *run)
{
    *logs = (struct check_logs){
        .run = run,
        .groups = mem_calloc(run->plan->group_count, sizeof(struct check_log_group)),
        .agents = mem_calloc(CHECK_LOG_AGENTS, sizeof(struct check_log_agent)),
    };
}

void check_logs_deinit(struct check_logs *logs)
{
    free(logs->groups);
    free(logs->agents);
}

static size_t find_group(const struct check_logs *logs, const char *version)
{
    const struct check_plan *plan = logs->run->plan;
    for (size_t i = 0; i < plan->group_count; i++) {
        if (strcmp(plan->groups[i].agent_version, version) == 0) {
            return i;
        }
    }
    return CHECK_LOG_AGENTS;
}

static struct check_log_agent *find_agent(struct check_logs *logs, uint32_t id)
{
    for (size_t i = 0; i < logs->agent_count; i++) {
        if (logs->agents[i].id == id) {
            return &logs->agents[i];
        }
    }
    if (logs->agent_count == CHECK_LOG_AGENTS || id == CHECK_NAME_OTHER) {
        logs->dropped++;
        return NULL;
    }
    struct check_log_agent *agent = &logs->agents[logs->agent_count++];
    agent->id = id;
    return agent;
}

/* Counts, and keeps the first line that shows it. */
static void prove(uint64_t *count, char proof[static CHECK_LOG_PROOF],
                  const struct check_log_event *event)
{
    if ((*count)++ == 0) {
        text_escape(proof, CHECK_LOG_PROOF, event->line, event->line_len);
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

static void judge_server(const struct check_logs *logs, size_t group, const char *server,
                         const struct check_log_event *event)
{
    const struct check_expectation *expect = &logs->run->plan->groups[group].expect;
    bool wrong = expect->rule == CHECK_EXPECT_REJECTED ||
                 (expect->rule == CHECK_EXPECT_SERVER && !check_expectation_allows(expect, server));
    if (wrong) {
        prove(&logs->groups[group].wrong, logs->groups[group].wrong_line, event);
    }
}

static void take_pong(struct check_logs *logs, struct check_log_agent *agent,
                      struct check_log_group *group, const struct check_log_event *event)
{
    uint32_t version = check_names_add(&logs->run->names, event->peer_version);
    uint32_t pod = check_names_add(&logs->run->names, event->peer_id);
    group->pongs++;
    count_answer(group, version, pod);
    if (agent == NULL || !agent->in_stream) {
        return;
    }
    if (agent->streak == 0) {
        agent->pod = pod;
        agent->pod_version = version;
    } else if (agent->pod != pod || agent->pod_version != version) {
        prove(&group->moved, group->moved_line, event);
    }
    agent->streak++;
}

static void take_agent_line(struct check_logs *logs, const struct check_log_event *event)
{
    logs->agent_lines++;
    struct check_log_agent *agent = find_agent(logs, check_names_add(&logs->run->names, event->id));
    size_t number = find_group(logs, event->version);
    if (agent != NULL) {
        agent->version = check_names_add(&logs->run->names, event->version);
        if (event->kind == CHECK_LOG_AGENT_OPENED) {
            agent->in_stream = true;
            agent->streak = 0;
        }
    }
    if (number == CHECK_LOG_AGENTS) {
        return; /* not asked for */
    }
    struct check_log_group *group = &logs->groups[number];
    if (event->kind == CHECK_LOG_AGENT_OPENED) {
        group->opened++;
    } else {
        take_pong(logs, agent, group, event);
        judge_server(logs, number, event->peer_version, event);
    }
}

/* An id belongs to one version: a second one means that metadata of two streams were mixed. */
static void compare_identity(struct check_logs *logs, struct check_log_group *group,
                             const struct check_log_event *event)
{
    struct check_log_agent *agent =
        find_agent(logs, check_names_add(&logs->run->names, event->peer_id));
    uint32_t version = check_names_add(&logs->run->names, event->peer_version);
    if (agent == NULL) {
        return;
    }
    if (agent->version == CHECK_NAME_EMPTY) {
        agent->version = version;
    } else if (agent->version != version) {
        prove(&group->mixed, group->mixed_line, event);
    }
}

static void take_server_line(struct check_logs *logs, const struct check_log_event *event)
{
    logs->server_lines++;
    size_t number = find_group(logs, event->peer_version);
    if (number == CHECK_LOG_AGENTS) {
        return;
    }
    struct check_log_group *group = &logs->groups[number];
    group->seen_opened += event->kind == CHECK_LOG_SERVER_OPENED;
    group->seen_pings += event->kind == CHECK_LOG_PING;
    judge_server(logs, number, event->version, event);
    compare_identity(logs, group, event);
}

void check_logs_take(void *user, const struct check_log_event *event)
{
    bool of_agent = event->kind == CHECK_LOG_AGENT_OPENED || event->kind == CHECK_LOG_PONG;
    (of_agent ? take_agent_line : take_server_line)(user, event);
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

static void find_wrong(const struct check_logs *logs, size_t number, struct check_verdict *verdict)
{
    const struct check_log_group *group = &logs->groups[number];
    const struct check_expectation *expect = &logs->run->plan->groups[number].expect;
    char expected[CHECK_EXPECT_MAX * CHECK_VERSION_BYTES];
    if (group->wrong == 0) {
        return;
    }
    struct sentence text = add_finding(verdict, CHECK_VERSION, CHECK_FAILED, group->wrong);
    sentence_add(&text, "expected %s %s, answered otherwise in %" PRIu64 " lines, first: %s",
                 expect->version_count > 0 ? "server" : "a rejection",
                 check_expectation_text(expect, expected, sizeof(expected)), group->wrong,
                 group->wrong_line);
}

static void find_mixing(const struct check_log_group *group, struct check_verdict *verdict)
{
    if (group->mixed > 0) {
        struct sentence text = add_finding(verdict, CHECK_ISOLATION, CHECK_FAILED, group->mixed);
        sentence_add(&text,
                     "an agent-id was seen with two versions in %" PRIu64 " lines, first: %s",
                     group->mixed, group->mixed_line);
    }
    if (group->moved > 0) {
        struct sentence text = add_finding(verdict, CHECK_STICKINESS, CHECK_FAILED, group->moved);
        sentence_add(&text, "a stream moved between pods: %" PRIu64 " messages, first: %s",
                     group->moved, group->moved_line);
    }
}

static void find_gaps(const struct check_logs *logs, const struct check_log_group *group,
                      struct check_verdict *verdict)
{
    uint64_t wanted = logs->run->plan->messages;
    bool enough = verdict->streams > 0 && verdict->received >= wanted;
    if (!enough && verdict->result != CHECK_FAILED) {
        struct sentence text = add_finding(verdict, CHECK_EVIDENCE, CHECK_NO_EVIDENCE, 1);
        sentence_add(&text,
                     "not enough evidence in the logs: %zu \"Stream opened\" lines (1 needed), "
                     "%" PRIu64 " messages (%" PRIu64 " needed)",
                     verdict->streams, verdict->received, wanted);
    }
    verdict->unchecked |= 1U << CHECK_ORDER | 1U << CHECK_LOSS;
    if (logs->agent_lines == 0 || logs->server_lines == 0) {
        verdict->unchecked |= 1U << CHECK_ISOLATION;
    }
    if (group->pongs == 0) {
        verdict->unchecked |= 1U << CHECK_STICKINESS;
    }
}

static void judge_group(const struct check_logs *logs, size_t number, struct check_verdict *verdict)
{
    const struct check_log_group *group = &logs->groups[number];
    bool of_agents = logs->agent_lines > 0;
    verdict->streams = (size_t)(of_agents ? group->opened : group->seen_opened);
    verdict->streams_done = verdict->streams;
    verdict->received = of_agents ? group->pongs : group->seen_pings;
    verdict->sent = verdict->received;
    memcpy(verdict->answers, group->answers, sizeof(group->answers));
    verdict->answer_count = group->answer_count;
    verdict->other_answers = group->other_answers;
    find_wrong(logs, number, verdict);
    find_mixing(group, verdict);
    find_gaps(logs, group, verdict);
}

void check_logs_verify(const struct check_logs *logs, struct check_report *ret_report)
{
    size_t count = logs->run->plan->group_count;
    *ret_report = (struct check_report){
        .run = logs->run,
        .result = CHECK_PASSED,
        .groups = mem_calloc(count, sizeof(struct check_verdict)),
    };
    for (size_t i = 0; i < count; i++) {
        judge_group(logs, i, &ret_report->groups[i]);
        if (ret_report->groups[i].result > ret_report->result) {
            ret_report->result = ret_report->groups[i].result;
        }
    }
    ret_report->exit_code = ret_report->result == CHECK_FAILED        ? EXIT_CHECK_FAILED
                            : ret_report->result == CHECK_NO_EVIDENCE ? EXIT_NO_EVIDENCE
                                                                      : EXIT_GOOD;
}
