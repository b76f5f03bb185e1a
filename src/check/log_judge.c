/* From what was collected to verdicts. One line proves a fault; passing needs a stream and enough
 * answers, and silence is never a pass. */
#include "check/log_judge.h"

#include "base/mem.h"
#include "check/explain.h"
#include "check/sentence.h"
#include "cli/exit.h"

#include <inttypes.h>
#include <string.h>

#define ENDPOINTS_SHOWN 4

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

/* Which endpoints were none for the version. */
static void explain_misrouted(struct sentence *text, const struct check_logs *logs,
                              const struct check_log_group *group)
{
    const struct check_names *names = &logs->run->names;
    const struct check_proxied *proxied = &group->proxied;
    const char *joint = ", sent by the proxy to ";
    uint64_t rest = proxied->wrong;
    size_t shown = 0;
    for (size_t i = 0; i < proxied->endpoint_count && shown < ENDPOINTS_SHOWN; i++) {
        const struct check_endpoint *endpoint = &proxied->endpoints[i];
        if (endpoint->wrong > 0) {
            const char *address = check_names_text(names, endpoint->address);
            sentence_add(text, "%s%s%s%s (%" PRIu64 " of %" PRIu64 " streams)", joint,
                         check_names_text(names, endpoint->cluster),
                         address[0] != '\0' ? " at " : ", which had no endpoint", address,
                         endpoint->wrong, endpoint->streams);
            joint = ", ";
            rest -= endpoint->wrong;
            shown++;
        }
    }
    if (rest > 0) {
        sentence_add(text, "%s%s (%" PRIu64 " streams)", joint,
                     shown > 0 ? "others" : "endpoints too many to tell apart", rest);
    }
    sentence_add(text, "; %" PRIu64 " lines of its log show it, first: %s", group->misrouted.count,
                 group->misrouted.line);
}

static void find_wrong(const struct check_logs *logs, size_t number, struct check_verdict *verdict)
{
    const struct check_log_group *group = &logs->groups[number];
    const struct role_expectation *expect = &logs->plan->groups[number].expect;
    char expected[ROLE_EXPECT_MAX * CHECK_VERSION_BYTES];
    if (group->wrong.count + group->misrouted.count == 0) {
        return;
    }
    struct sentence text = add_finding(verdict, CHECK_VERSION, CHECK_FAILED,
                                       group->wrong.count + group->misrouted.count);
    sentence_add(&text, "expected %s %s", expect->version_count > 0 ? "server" : "a rejection",
                 role_expectation_text(expect, expected, sizeof(expected)));
    if (has_wrong_answer(logs, expect, verdict)) {
        sentence_add(&text, ", answered by ");
        check_explain_answers(&text, logs->run, verdict, expect);
    }
    if (group->wrong.count > 0) {
        sentence_add(&text, "; %" PRIu64 " lines show it, first: %s", group->wrong.count,
                     group->wrong.line);
    }
    if (group->misrouted.count > 0) {
        explain_misrouted(&text, logs, group);
    }
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

/* Why, where that is known and can be mended. */
static void explain_lost(struct sentence *text, const struct check_log_unread *unread)
{
    if (unread->strange > 0) {
        sentence_add(text,
                     " (%" PRIu64 " of them within a text that no known carrier writes, which may "
                     "be a client's)",
                     unread->strange);
    }
    if (unread->lost_tails > 0) {
        sentence_add(text,
                     " (%" PRIu64 " of them without their beginning: rotated files belong in the "
                     "order they were written in)",
                     unread->lost_tails);
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
                     "%" PRIu64 " of %" PRIu64 " log lines were not understood and may be evidence",
                     logs->unread.lost, logs->lines);
        explain_lost(&text, &logs->unread);
        sentence_add(&text, ", first: %s", logs->unread.quote);
    } else {
        sentence_add(&text, "not all logs could be read%s", logs->late ? " before --timeout" : "");
    }
}

/* Streams by the proxy's log that went to servers of which nothing is known. */
static void find_unknown(const struct check_logs *logs, size_t number,
                         struct check_verdict *verdict)
{
    const struct check_proxied *proxied = &verdict->proxied;
    bool expected = logs->plan->groups[number].expect.rule != ROLE_EXPECT_UNKNOWN;
    if (proxied->unknown == 0 || !expected || verdict->result == CHECK_FAILED) {
        return;
    }
    const char *cluster = check_names_text(&logs->run->names, proxied->unknown_cluster);
    struct sentence text = add_finding(verdict, CHECK_VERSION, CHECK_NO_EVIDENCE, proxied->unknown);
    sentence_add(&text,
                 "not checked: %" PRIu64 " of %" PRIu64
                 " streams by the proxy's log, nothing says which servers are behind ",
                 proxied->unknown, proxied->answered);
    if (cluster[0] == '\0') {
        sentence_add(&text, "their endpoint, and its line names no cluster");
    } else {
        sentence_add(&text, "its cluster %s (--backend-version '%s=SERVER')", cluster, cluster);
    }
}

/* What is expected goes before what the proxy thinks, but one of both is mistaken. */
static void find_disputed(const struct check_logs *logs, size_t number,
                          struct check_verdict *verdict)
{
    enum role_expect_rule rule = logs->plan->groups[number].expect.rule;
    bool judged = rule == ROLE_EXPECT_SERVER || rule == ROLE_EXPECT_UNKNOWN;
    uint64_t disputed = verdict->proxied.disputed;
    if (disputed == 0 || !judged || verdict->result != CHECK_PASSED) {
        return;
    }
    struct sentence text = add_finding(verdict, CHECK_VERSION, CHECK_NO_EVIDENCE, disputed);
    sentence_add(&text,
                 "%" PRIu64 " streams were misrouted by the proxy's own log: a server answered "
                 "that the rule which took them does not name. It is one that is expected here "
                 "(--routes, --expect), so that one of both is wrong",
                 disputed);
}

/* What the proxy's log says of streams that prove nothing. */
static void explain_unproved(struct sentence *text, const struct check_proxied *proxied)
{
    if (proxied->refused + proxied->unanswered > 0) {
        sentence_add(text,
                     "; by the proxy's log %" PRIu64 " streams were refused and %" PRIu64
                     " not answered",
                     proxied->refused, proxied->unanswered);
    }
}

/* A fault is a fault; without one, what was not seen keeps the verdict open. */
static void find_gaps(const struct check_logs *logs, const struct check_log_group *group,
                      struct check_verdict *verdict)
{
    uint64_t wanted = group->extra ? 1 : logs->plan->messages;
    bool silent = group->opened > 0 && group->pongs + group->seen_pings == 0;
    bool enough = verdict->proxied.right + verdict->proxied.unknown > 0 ||
                  (group->extra ? !silent /* servers may have seen the probes of others */
                                : verdict->streams > 0 && verdict->received >= wanted);
    find_losses(logs, verdict);
    if (verdict->result != CHECK_PASSED) {
        /* a finding of a kind is told once */
    } else if (logs->dropped > 0) {
        struct sentence text = add_finding(verdict, CHECK_EVIDENCE, CHECK_NO_EVIDENCE, 1);
        sentence_add(&text,
                     "more than %d names in the logs: %" PRIu64
                     " lines were not compared; judge them in parts",
                     CHECK_LOG_NAMES, logs->dropped);
    } else if (logs->proxy.unjudged > 0) {
        struct sentence text = add_finding(verdict, CHECK_EVIDENCE, CHECK_NO_EVIDENCE, 1);
        sentence_add(&text, "%" PRIu64 " streams of the proxy's log were not judged: %s",
                     logs->proxy.unjudged,
                     logs->plan->rewritten ? "the routes rewrite what Traefik logs of agents"
                                           : "their versions are too long, or too many");
    } else if (!enough) {
        struct sentence text = add_finding(verdict, CHECK_EVIDENCE, CHECK_NO_EVIDENCE, 1);
        sentence_add(&text,
                     "not enough evidence in the logs: %zu \"Stream opened\" lines (1 needed), "
                     "%" PRIu64 " messages (%" PRIu64 " needed)",
                     verdict->streams, verdict->received, wanted);
        explain_unproved(&text, &verdict->proxied);
    }
    if (logs->agent_lines == 0 || logs->server_lines == 0 || logs->plan->rewritten) {
        verdict->unchecked |= 1U << CHECK_ISOLATION;
    }
    if (logs->agent_lines == 0) {
        verdict->unchecked |= 1U << CHECK_STICKINESS;
    }
    if (verdict->proxied.right > verdict->proxied.named && verdict->received == 0) {
        verdict->unchecked |= 1U << CHECK_VERSION; /* by the name of its cluster alone */
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
    verdict->proxied = group->proxied;
    find_wrong(logs, number, verdict);
    find_mixing(group, verdict);
    find_move(&group->moved, verdict);
    find_unknown(logs, number, verdict);
    find_disputed(logs, number, verdict);
    find_gaps(logs, group, verdict);
}

/* The report's result is that of the worst group. */
static void conclude(const struct check_logs *logs, struct check_report *report, size_t count)
{
    report->logs.lines = logs->lines;
    report->logs.not_understood = logs->unread.lines;
    report->logs.lost = logs->unread.lost;
    report->logs.strange = logs->unread.strange;
    report->logs.tails = logs->unread.tails;
    report->proxy = logs->proxy;
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
