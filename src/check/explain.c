/* Words for findings. Each sentence says how often and gives one example that can be looked up in
 * logs. */
#include "check/explain.h"

#include "base/text.h"
#include "check/service.h"
#include "rpc/hint.h"

#include <inttypes.h>
#include <string.h>

/* Pods named in one sentence. */
#define PODS_NAMED 5

static const char *agent_id(const struct check_run *run, size_t stream)
{
    return check_names_text(&run->names, run->streams[stream].agent_id);
}

static const char *shown_or(const struct check_run *run, uint32_t name, const char *empty)
{
    return name == CHECK_NAME_EMPTY ? empty : check_names_text(&run->names, name);
}

/* The pods that answered as `version`. */
static void add_pods(struct sentence *sentence, const struct check_run *run,
                     const struct check_verdict *verdict, uint32_t version)
{
    size_t pods = 0;
    for (size_t i = 0; i < verdict->answer_count; i++) {
        pods += verdict->answers[i].server_version == version;
    }
    sentence_add(sentence, "%s", pods == 1 ? ", pod" : ", pods");
    size_t named = 0;
    for (size_t i = 0; i < verdict->answer_count && named < PODS_NAMED; i++) {
        if (verdict->answers[i].server_version == version) {
            sentence_add(sentence, "%s %s", named++ == 0 ? "" : ",",
                         shown_or(run, verdict->answers[i].server_id, "(without name)"));
        }
    }
    if (pods > named) {
        sentence_add(sentence, " and %zu more", pods - named);
    }
}

static bool is_first_of_version(const struct check_verdict *verdict, size_t answer)
{
    for (size_t i = 0; i < answer; i++) {
        if (verdict->answers[i].server_version == verdict->answers[answer].server_version) {
            return false;
        }
    }
    return true;
}

static uint64_t messages_of_version(const struct check_verdict *verdict, uint32_t version)
{
    uint64_t messages = 0;
    for (size_t i = 0; i < verdict->answer_count; i++) {
        if (verdict->answers[i].server_version == version) {
            messages += verdict->answers[i].messages;
        }
    }
    return messages;
}

uint64_t check_explain_answers(struct sentence *sentence, const struct check_run *run,
                               const struct check_verdict *verdict,
                               const struct role_expectation *expect)
{
    uint64_t total = 0;
    for (size_t i = 0; i < verdict->answer_count; i++) {
        uint32_t version = verdict->answers[i].server_version;
        const char *text = check_names_text(&run->names, version);
        if (!is_first_of_version(verdict, i) ||
            (expect != NULL && role_expectation_allows(expect, text))) {
            continue;
        }
        uint64_t messages = messages_of_version(verdict, version);
        sentence_add(sentence, "%s%s (%" PRIu64 " of %" PRIu64 " messages", total == 0 ? "" : ", ",
                     shown_or(run, version, "no version"), messages, verdict->received);
        add_pods(sentence, run, verdict, version);
        sentence_add(sentence, ")");
        total += messages;
    }
    return total;
}

static void add_metadata(struct sentence *sentence, const struct check_run *run,
                         const struct check_verdict *verdict, const struct check_tally *metadata)
{
    const struct check_pong *pong =
        &run->streams[metadata->stream].pongs[metadata->facts.wrong_metadata_first];
    const struct role_rewrite *rewrite =
        &run->plan->groups[run->plan->streams[metadata->stream].group].expect.rewrite;
    if (role_rewrites(rewrite)) {
        char rule[ROLE_REWRITE_BYTES];
        sentence_add(sentence,
                     "%" PRIu64 " of %" PRIu64 " messages carried other metadata than the routes "
                     "say: agent-id=%s agent-version=%s seen on the stream of agent-id=%s, and %s",
                     metadata->count, verdict->received, shown_or(run, pong->agent_id, "(none)"),
                     shown_or(run, pong->agent_version, "(none)"), agent_id(run, metadata->stream),
                     role_rewrite_text(rewrite, rule));
        return;
    }
    sentence_add(sentence,
                 "%" PRIu64 " of %" PRIu64 " messages carried metadata of another stream: "
                 "agent-id=%s agent-version=%s seen on the stream of agent-id=%s",
                 metadata->count, verdict->received, shown_or(run, pong->agent_id, "(none)"),
                 shown_or(run, pong->agent_version, "(none)"), agent_id(run, metadata->stream));
}

static void add_foreign(struct sentence *sentence, const struct check_run *run,
                        const struct check_verdict *verdict, const struct check_tally *foreign)
{
    const struct check_pong *pong =
        &run->streams[foreign->stream].pongs[foreign->facts.foreign_first];
    size_t owner = check_facts_owner(run, pong);
    sentence_add(sentence,
                 "%" PRIu64 " of %" PRIu64 " answers were to pings that their stream did not send: "
                 "sequence %" PRIu64 " of %s arrived on the stream of agent-id=%s",
                 foreign->count, verdict->received, pong->sequence,
                 owner == CHECK_NONE ? "nobody" : agent_id(run, owner),
                 agent_id(run, foreign->stream));
}

void check_explain_isolation(struct sentence *sentence, const struct check_run *run,
                             const struct check_verdict *verdict,
                             const struct check_tally *metadata, const struct check_tally *foreign)
{
    if (metadata->count > 0) {
        add_metadata(sentence, run, verdict, metadata);
    }
    if (foreign->count > 0) {
        sentence_add(sentence, "%s", metadata->count > 0 ? "; " : "");
        add_foreign(sentence, run, verdict, foreign);
    }
}

static bool seen_earlier(const struct check_observation *seen, size_t pong)
{
    for (size_t i = 0; i < pong; i++) {
        if (seen->pongs[i].server_id == seen->pongs[pong].server_id &&
            seen->pongs[i].server_version == seen->pongs[pong].server_version) {
            return true;
        }
    }
    return false;
}

static uint64_t answers_of_pod(const struct check_observation *seen, size_t pong)
{
    uint64_t answers = 0;
    for (size_t i = 0; i < seen->pong_count; i++) {
        answers += seen->pongs[i].server_id == seen->pongs[pong].server_id &&
                   seen->pongs[i].server_version == seen->pongs[pong].server_version;
    }
    return answers;
}

void check_explain_stickiness(struct sentence *sentence, const struct check_run *run,
                              const struct check_verdict *verdict, const struct check_tally *moved)
{
    const struct check_observation *seen = &run->streams[moved->stream];
    if (verdict->streams > 1) {
        sentence_add(sentence, "%" PRIu64 " of %zu streams moved between pods, ", moved->count,
                     verdict->streams);
    }
    sentence_add(sentence, "messages of one stream (agent-id=%s) answered by more than one pod:",
                 agent_id(run, moved->stream));
    size_t pods = 0;
    for (size_t i = 0; i < seen->pong_count; i++) {
        if (seen_earlier(seen, i)) {
            continue;
        }
        if (pods == PODS_NAMED) {
            sentence_add(sentence, " and more");
            break;
        }
        sentence_add(sentence, "%s %s/%s (%" PRIu64 " messages)", pods++ == 0 ? "" : ",",
                     shown_or(run, seen->pongs[i].server_version, "(no version)"),
                     shown_or(run, seen->pongs[i].server_id, "(without name)"),
                     answers_of_pod(seen, i));
    }
}

void check_explain_order(struct sentence *sentence, const struct check_run *run,
                         const struct check_verdict *verdict, const struct check_tally *reordered)
{
    sentence_add(sentence,
                 "%" PRIu64 " of %" PRIu64 " answers came out of order, first sequence %" PRIu64
                 " of agent-id=%s",
                 reordered->count, verdict->received, reordered->facts.reordered_first,
                 agent_id(run, reordered->stream));
}

static void add_first(struct sentence *sentence, const struct check_run *run, uint64_t sequence,
                      size_t stream)
{
    if (sequence > 0) {
        sentence_add(sentence, ", first sequence %" PRIu64, sequence);
    }
    sentence_add(sentence, "%s agent-id=%s", sequence > 0 ? " of" : ", on the stream of",
                 agent_id(run, stream));
}

void check_explain_loss(struct sentence *sentence, const struct check_run *run,
                        const struct check_verdict *verdict, const struct check_tally *lost)
{
    sentence_add(sentence, "%" PRIu64 " of %" PRIu64 " messages were never answered", lost->count,
                 verdict->sent);
    add_first(sentence, run, lost->facts.lost_first, lost->stream);
}

void check_explain_duplication(struct sentence *sentence, const struct check_run *run,
                               const struct check_verdict *verdict,
                               const struct check_tally *duplicated)
{
    sentence_add(sentence, "%" PRIu64 " answers too many to %" PRIu64 " messages",
                 duplicated->count, verdict->sent);
    add_first(sentence, run, duplicated->facts.duplicated_first, duplicated->stream);
}

static void add_timeout(struct sentence *sentence, const struct check_run *run,
                        const struct check_observation *seen)
{
    char limit[32];
    text_format_duration(limit, sizeof(limit), run->timeout_ns);
    if (!seen->opened) {
        sentence_add(sentence, "no connection within %s (--timeout)", limit);
    } else {
        sentence_add(sentence, "%zu of %" PRIu64 " messages answered within %s (--timeout)",
                     seen->pong_count, run->plan->messages, limit);
    }
}

static void add_peer_end(struct sentence *sentence, const struct check_run *run,
                         const struct check_observation *seen)
{
    char cause[RPC_CAUSE_BYTES];
    struct rpc_stream_life life = {
        .age_ms = seen->open_ns / 1000000,
        .idle_ms = seen->idle_ns / 1000000,
        .half_closed = seen->half_closed,
        .half_closed_ms = seen->half_closed_ns / 1000000,
    };
    sentence_add(sentence, "ended after %zu of %" PRIu64 " messages: %s", seen->pong_count,
                 run->plan->messages, rpc_describe_end(&life, &seen->status, cause, sizeof(cause)));
}

void check_explain_end(struct sentence *sentence, const struct check_run *run, size_t stream)
{
    const struct check_observation *seen = &run->streams[stream];
    if (seen->garbled) {
        sentence_add(sentence, "an answer is not a ping.PingResponse");
        return;
    }
    if (run->plan->service != NULL) {
        check_service_explain_end(sentence, run, seen);
        return;
    }
    switch (seen->end) {
    case CHECK_END_NOT_CONNECTED:
        sentence_add(sentence, "%s", seen->error.text);
        break;
    case CHECK_END_BY_PEER:
        add_peer_end(sentence, run, seen);
        break;
    case CHECK_END_TIMED_OUT:
        add_timeout(sentence, run, seen);
        break;
    case CHECK_END_OPEN:
        sentence_add(sentence, "interrupted after %zu of %" PRIu64 " messages", seen->pong_count,
                     run->plan->messages);
        break;
    case CHECK_END_DONE: /* it lacks nothing */
        break;
    }
}
