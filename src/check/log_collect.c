#include "check/log_collect.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_GROUP SIZE_MAX

void check_logs_init(struct check_logs *logs, struct check_run *run, struct check_plan *plan,
                     const struct check_log_owner *owner)
{
    *logs = (struct check_logs){
        .run = run,
        .plan = plan,
        .owner = owner,
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
    free(logs->digests);
}

const char *check_logs_add_digest(struct check_logs *logs, const struct check_log_digest *digest)
{
    for (size_t i = 0; i < logs->digest_count; i++) {
        const struct check_log_digest *other = &logs->digests[i];
        if (other->bytes == digest->bytes && other->hash == digest->hash) {
            return other->source;
        }
    }
    size_t bytes = (logs->digest_count + 1) * sizeof(*logs->digests);
    logs->digests = mem_realloc(logs->digests, bytes);
    logs->digests[logs->digest_count++] = *digest;
    return NULL;
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

/* For the version of an agent's own log, or of a stream that proves something: one that was not
 * asked for is added. */
static size_t find_own_group(struct check_logs *logs, const char *version)
{
    size_t found = find_group(logs, version);
    size_t count = logs->plan->group_count;
    if (found != NO_GROUP || logs->owner->expect == NULL || count == CHECK_LOG_GROUPS) {
        return found;
    }
    check_plan_add_group(logs->plan, CHECK_GROUP_VERSION,
                         version[0] == '\0' ? CHECK_HEADER_MISSING : CHECK_HEADER_ONCE, version)
        ->expect = logs->owner->expect(logs->owner->user, version);
    logs->groups[count].extra = true;
    return count;
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

/* Names that are both one of too many may differ or not. */
static void count_uncompared(struct check_logs *logs, const struct check_log_agent *agent,
                             uint32_t one, uint32_t other)
{
    bool compared = one != CHECK_NAME_OTHER && other != CHECK_NAME_OTHER;
    logs->dropped += agent != NULL && !compared; /* else its line is counted already */
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
    count_uncompared(logs, agent, pod, version);
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

static bool is_of_other_path(const struct check_logs *logs, const struct check_log_event *event)
{
    return event->stream.path[0] != '\0' && strcmp(event->stream.path, logs->owner->path) != 0;
}

/* Of the whole log. */
static void count_stream(struct check_proxy_log *log, const struct check_log_stream *stream)
{
    log->streams++;
    if (stream->endpoint[0] == '\0') {
        check_proxy_log_refuse(log, stream->reason);
    } else {
        log->unanswered += !stream->answered;
    }
}

static enum check_way way_of(const struct check_logs *logs, const struct role_expectation *expect,
                             const struct check_log_event *event)
{
    const struct role_expectation servers =
        logs->owner->servers(logs->owner->user, event->stream.cluster);
    return check_way_of(expect, &servers, event);
}

/* Whether a stream of a version that was not asked for makes it one that is judged: somebody
 * answered, or it went where its version does not belong. */
static bool is_proof(const struct check_logs *logs, const struct check_log_event *event)
{
    if (event->stream.answered || logs->owner->expect == NULL) {
        return event->stream.answered;
    }
    const struct role_expectation expect = logs->owner->expect(logs->owner->user, event->version);
    return way_of(logs, &expect, event) == CHECK_WAY_WRONG;
}

/* NO_GROUP: it is not judged. */
static size_t find_stream_group(struct check_logs *logs, const struct check_log_event *event)
{
    bool is_cut = strlen(event->version) >= CHECK_VERSION_BYTES;
    bool is_other = logs->plan->rewritten && event->stream.rewritten;
    size_t found = is_cut || is_other ? NO_GROUP : find_group(logs, event->version);
    bool proves =
        found == NO_GROUP && (is_cut || is_other ? event->stream.answered : is_proof(logs, event));
    if (proves && !is_cut && !is_other) {
        found = find_own_group(logs, event->version);
    }
    logs->proxy.unjudged += proves && found == NO_GROUP;
    return found;
}

static void judge_stream(struct check_logs *logs, size_t number,
                         const struct check_log_event *event)
{
    struct check_log_group *group = &logs->groups[number];
    enum check_way way = way_of(logs, &logs->plan->groups[number].expect, event);
    check_proxied_add(&group->proxied, &logs->run->names, way, event);
    if (way == CHECK_WAY_WRONG) {
        prove(&group->misrouted, event);
    }
}

static void take_stream(struct check_logs *logs, const struct check_log_event *event)
{
    struct check_proxy_log *log = &logs->proxy;
    if (is_of_other_path(logs, event)) {
        if (log->other_paths++ == 0) {
            snprintf(log->other_path, sizeof(log->other_path), "%.*s",
                     (int)sizeof(log->other_path) - 1, event->stream.path);
        }
        return;
    }
    count_stream(log, &event->stream);
    if (logs->owner->servers == NULL) {
        log->unjudged += event->stream.answered;
        return;
    }
    size_t number = find_stream_group(logs, event);
    if (number != NO_GROUP) {
        judge_stream(logs, number, event);
    }
}

void check_logs_take(void *user, const struct check_log_event *event)
{
    if (event->kind == CHECK_LOG_STREAM) {
        take_stream(user, event);
        return;
    }
    bool of_agent = event->kind == CHECK_LOG_AGENT_OPENED || event->kind == CHECK_LOG_PONG;
    (of_agent ? take_agent_line : take_server_line)(user, event);
}

void check_logs_add_source(struct check_logs *logs, const struct check_log_reader *reader)
{
    logs->lines += reader->lines;
    check_log_add_unread(&logs->unread, &reader->unread);
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
