/* Judges one group of streams.
 *
 * A failure needs one message that proves it. "Passed" needs every stream of the group to have run
 * to its end; anything in between is "not enough evidence", never a pass. */
#include "check/verdict.h"

#include "check/explain.h"
#include "check/service.h"

#include <inttypes.h>
#include <string.h>

/* The facts of all streams of a group. */
struct group_facts {
    struct check_tally metadata;
    struct check_tally foreign;
    struct check_tally moved;
    struct check_tally reordered;
    struct check_tally lost;
    struct check_tally duplicated;
    struct check_tally rejected; /* streams refused by a proxy without a route */
    struct check_tally accepted; /* messages answered where a rejection was due */
    struct check_tally broken;   /* streams without an OK at their end, all being answered */
    struct check_tally refused;  /* streams that were rejected, as they may or should be */
    struct check_tally undone;   /* streams that prove nothing to their end */
};

static void count_answer(struct check_verdict *verdict, const struct check_pong *pong)
{
    for (size_t i = 0; i < verdict->answer_count; i++) {
        struct check_answer *answer = &verdict->answers[i];
        if (answer->server_version == pong->server_version &&
            answer->server_id == pong->server_id) {
            answer->messages++;
            return;
        }
    }
    if (verdict->answer_count == CHECK_ANSWERS_MAX) {
        verdict->other_answers++;
        return;
    }
    verdict->answers[verdict->answer_count++] = (struct check_answer){
        .server_version = pong->server_version,
        .server_id = pong->server_id,
        .messages = 1,
    };
}

static void count_messages(const struct check_run *run, size_t stream,
                           struct check_verdict *verdict)
{
    const struct check_observation *seen = &run->streams[stream];
    verdict->streams++;
    verdict->streams_done += seen->end == CHECK_END_DONE;
    verdict->sent += seen->sent;
    verdict->received += seen->pong_count;
    for (size_t i = 0; i < seen->pong_count; i++) {
        count_answer(verdict, &seen->pongs[i]);
    }
}

static void tally(struct check_tally *into, size_t stream, const struct check_facts *facts,
                  uint64_t count)
{
    if (count > 0 && into->count == 0) {
        into->stream = stream;
        into->facts = *facts;
    }
    into->count += count;
}

/* The stream ended without an answer and with a status that somebody sent for this stream alone. */
static bool was_rejected(const struct check_observation *seen)
{
    return seen->end == CHECK_END_BY_PEER && seen->pong_count == 0 && !seen->garbled &&
           seen->status.code != RPC_OK && seen->status.origin != RPC_FROM_CONNECTION &&
           seen->status.origin != RPC_FROM_HERE && seen->status.origin != RPC_FROM_CONFLICT;
}

/* A rejection that only a missing or refusing route explains: Envoy and the embedded proxy answer
 * UNIMPLEMENTED, Traefik HTTP 404 (the same code by gRPC's mapping). UNAVAILABLE and resets have
 * many other causes. */
static bool has_no_route(const struct check_run *run, const struct check_observation *seen)
{
    bool our_server = run->plan->service == NULL; /* another may mean its message */
    return was_rejected(seen) && seen->status.origin != RPC_FROM_RESET &&
           (seen->status.code == RPC_UNIMPLEMENTED ||
            (our_server &&
             (seen->status.code == RPC_NOT_FOUND || seen->status.code == RPC_INVALID_ARGUMENT)));
}

static void tally_end(const struct check_run *run, size_t stream, enum role_expect_rule rule,
                      const struct check_facts *facts, struct group_facts *group)
{
    const struct check_observation *seen = &run->streams[stream];
    bool rejection_is_right =
        rule == ROLE_EXPECT_REJECTED || rule == ROLE_EXPECT_REPORT || rule == ROLE_EXPECT_UNKNOWN;
    if (rejection_is_right && was_rejected(seen)) {
        tally(&group->refused, stream, facts, 1);
        return;
    }
    if (rule == ROLE_EXPECT_REJECTED && seen->pong_count > 0) {
        tally(&group->accepted, stream, facts, seen->pong_count);
    } else if (!rejection_is_right && has_no_route(run, seen)) {
        tally(&group->rejected, stream, facts, 1);
    } else if (seen->end != CHECK_END_DONE &&
               !(seen->end == CHECK_END_TIMED_OUT && facts->lost > 0)) {
        tally(&group->undone, stream, facts, 1);
    }
}

static bool contradicts_itself(const struct check_observation *seen)
{
    return seen->ended && seen->status.origin == RPC_FROM_CONFLICT;
}

/* What comes after the last answer decides how the call ends for its agent; that an end says two
 * things is wrong at any time. */
static bool ended_badly(const struct check_observation *seen)
{
    return contradicts_itself(seen) ||
           (seen->end == CHECK_END_DONE && seen->ended && seen->status.code != RPC_OK);
}

static void note_unchecked(const struct check_run *run, const struct check_observation *seen,
                           const struct check_facts *facts, struct check_verdict *verdict)
{
    if (seen->pong_count == 0) {
        return;
    }
    bool told = seen->flooded && run->plan->service == NULL; /* as duplication */
    if (seen->end == CHECK_END_DONE && !seen->ended && !told) {
        verdict->unchecked |= 1U << CHECK_ENDING;
    }
    if (run->plan->service != NULL) {
        verdict->unchecked |= check_service_unchecked(run->plan, seen);
        return;
    }
    if (!facts->echoes_metadata) {
        verdict->unchecked |= 1U << CHECK_ISOLATION;
    }
    if (!facts->echoes_sequence) {
        verdict->unchecked |= 1U << CHECK_ORDER | 1U << CHECK_LOSS;
    }
    if (!facts->names_pod) {
        verdict->unchecked |= 1U << CHECK_STICKINESS;
    }
}

static void tally_stream(const struct check_run *run, size_t stream, enum role_expect_rule rule,
                         struct check_verdict *verdict, struct group_facts *group)
{
    struct check_facts facts = check_facts_of(run, stream);
    count_messages(run, stream, verdict);
    note_unchecked(run, &run->streams[stream], &facts, verdict);
    tally(&group->metadata, stream, &facts, facts.wrong_metadata);
    tally(&group->foreign, stream, &facts, facts.foreign);
    tally(&group->moved, stream, &facts, facts.moved);
    tally(&group->reordered, stream, &facts, facts.reordered);
    tally(&group->lost, stream, &facts, facts.lost);
    tally(&group->duplicated, stream, &facts, facts.duplicated);
    tally(&group->broken, stream, &facts, ended_badly(&run->streams[stream]));
    tally_end(run, stream, rule, &facts, group);
}

struct sentence check_add_finding(struct check_verdict *verdict, enum check_kind kind,
                                  enum check_result result, uint64_t count)
{
    struct check_finding *finding = &verdict->findings[verdict->finding_count++];
    finding->kind = kind;
    finding->result = result;
    finding->count = count;
    if (result == CHECK_FAILED || verdict->result == CHECK_PASSED) {
        verdict->result = result;
    }
    return sentence_begin(finding->text, sizeof(finding->text));
}

void check_judge_unknown(const struct check_run *run, size_t group, struct check_verdict *verdict)
{
    const struct role_expectation *expect = &run->plan->groups[group].expect;
    if (expect->rule != ROLE_EXPECT_UNKNOWN) {
        return;
    }
    struct sentence text =
        check_add_finding(verdict, CHECK_VERSION, CHECK_NO_EVIDENCE, verdict->received);
    sentence_add(&text, "not checked: %s", expect->reason);
    if (verdict->received > 0) {
        sentence_add(&text, "; answered: ");
        check_explain_answers(&text, run, verdict, NULL);
    }
}

static uint64_t count_wrong_versions(const struct check_run *run, size_t group)
{
    const struct role_expectation *expect = &run->plan->groups[group].expect;
    uint64_t wrong = 0;
    for (size_t i = 0; i < run->plan->stream_count; i++) {
        const struct check_observation *seen = &run->streams[i];
        for (size_t p = 0; run->plan->streams[i].group == group && p < seen->pong_count; p++) {
            const char *version = check_names_text(&run->names, seen->pongs[p].server_version);
            bool unnamed = version[0] == '\0' && run->plan->service != NULL;
            wrong += !unnamed && !role_expectation_allows(expect, version);
        }
    }
    return wrong;
}

/* A service of one's own whose answers have no name where --server-from looks. */
static void find_unnamed(const struct check_run *run, size_t group, struct check_verdict *verdict)
{
    char text[CHECK_TEXT_BYTES];
    struct sentence sentence = sentence_begin(text, sizeof(text));
    enum role_expect_rule rule = run->plan->groups[group].expect.rule;
    uint64_t unnamed = 0;
    if (run->plan->service != NULL && (rule == ROLE_EXPECT_SERVER || rule == ROLE_EXPECT_ANY)) {
        unnamed = check_service_explain_unnamed(&sentence, run, group);
    }
    if (unnamed > 0) {
        struct sentence told =
            check_add_finding(verdict, CHECK_VERSION, CHECK_NO_EVIDENCE, unnamed);
        sentence_add(&told, "%s", text);
        verdict->unchecked |= 1U << CHECK_VERSION;
    }
}

static void find_version(const struct check_run *run, size_t group, struct check_verdict *verdict)
{
    const struct role_expectation *expect = &run->plan->groups[group].expect;
    check_judge_unknown(run, group, verdict);
    uint64_t wrong = expect->rule == ROLE_EXPECT_SERVER ? count_wrong_versions(run, group) : 0;
    if (wrong == 0) {
        find_unnamed(run, group, verdict);
    } else {
        char expected[ROLE_EXPECT_MAX * CHECK_VERSION_BYTES];
        struct sentence text = check_add_finding(verdict, CHECK_VERSION, CHECK_FAILED, wrong);
        sentence_add(&text, "expected server %s, answered: ",
                     role_expectation_text(expect, expected, sizeof(expected)));
        uint64_t told = check_explain_answers(&text, run, verdict, expect);
        if (told < wrong) {
            sentence_add(&text, "%s%" PRIu64 " messages of other pods", told > 0 ? ", " : "",
                         wrong - told);
        }
    }
}

/* Who asks for a version wants to see its servers. That it was rejected, even if the routes say so,
 * proves nothing about them; at the edges of the routes it is what is to be seen. */
static bool is_no_proof(const struct check_group *group)
{
    return group->kind != CHECK_GROUP_BOUNDARY;
}

static void find_rejection(const struct check_run *run, size_t group,
                           const struct group_facts *facts, struct check_verdict *verdict)
{
    const struct role_expectation *expect = &run->plan->groups[group].expect;
    if (facts->rejected.count > 0) {
        char expected[ROLE_EXPECT_MAX * CHECK_VERSION_BYTES];
        char status[2 * RPC_MESSAGE_BYTES];
        struct sentence text =
            check_add_finding(verdict, CHECK_REJECTION, CHECK_FAILED, facts->rejected.count);
        if (expect->version_count > 0) {
            sentence_add(&text, "expected server %s, ",
                         role_expectation_text(expect, expected, sizeof(expected)));
        }
        sentence_add(&text, "rejected: %s (%" PRIu64 " of %zu streams)",
                     rpc_status_describe(&run->streams[facts->rejected.stream].status, status,
                                         sizeof(status)),
                     facts->rejected.count, verdict->streams);
        if (run->plan->service != NULL) {
            sentence_add(&text, ": no route takes it, or its server does not know %s",
                         run->plan->service->path);
        }
    } else if (facts->accepted.count > 0) {
        struct sentence text =
            check_add_finding(verdict, CHECK_REJECTION, CHECK_FAILED, facts->accepted.count);
        sentence_add(
            &text, "expected a rejection%s%s%s, answered: ", expect->reason[0] != '\0' ? " (" : "",
            expect->reason, expect->reason[0] != '\0' ? ")" : "");
        check_explain_answers(&text, run, verdict, NULL);
    } else if (facts->refused.count > 0 && is_no_proof(&run->plan->groups[group])) {
        char status[2 * RPC_MESSAGE_BYTES];
        struct sentence text =
            check_add_finding(verdict, CHECK_REJECTION, CHECK_NO_EVIDENCE, facts->refused.count);
        sentence_add(&text, "no server: %s%srejected, %s (%" PRIu64 " of %zu streams)",
                     expect->reason, expect->reason[0] != '\0' ? "; " : "",
                     rpc_status_describe(&run->streams[facts->refused.stream].status, status,
                                         sizeof(status)),
                     facts->refused.count, verdict->streams);
    }
}

static void find_mixing(const struct check_run *run, const struct group_facts *facts,
                        struct check_verdict *verdict)
{
    uint64_t mixed = facts->metadata.count + facts->foreign.count;
    if (mixed > 0) {
        struct sentence text = check_add_finding(verdict, CHECK_ISOLATION, CHECK_FAILED, mixed);
        check_explain_isolation(&text, run, verdict, &facts->metadata, &facts->foreign);
    }
    if (facts->moved.count > 0) {
        struct sentence text =
            check_add_finding(verdict, CHECK_STICKINESS, CHECK_FAILED, facts->moved.count);
        check_explain_stickiness(&text, run, verdict, &facts->moved);
    }
}

static void find_sequence_faults(const struct check_run *run, const struct group_facts *facts,
                                 struct check_verdict *verdict)
{
    if (facts->reordered.count > 0) {
        struct sentence text =
            check_add_finding(verdict, CHECK_ORDER, CHECK_FAILED, facts->reordered.count);
        check_explain_order(&text, run, verdict, &facts->reordered);
    }
    if (facts->lost.count > 0) {
        struct sentence text =
            check_add_finding(verdict, CHECK_LOSS, CHECK_FAILED, facts->lost.count);
        check_explain_loss(&text, run, verdict, &facts->lost);
    }
    if (facts->duplicated.count > 0) {
        struct sentence text =
            check_add_finding(verdict, CHECK_DUPLICATION, CHECK_FAILED, facts->duplicated.count);
        check_explain_duplication(&text, run, verdict, &facts->duplicated);
    }
}

static void find_broken_ends(const struct check_run *run, const struct group_facts *facts,
                             struct check_verdict *verdict)
{
    if (facts->broken.count > 0) {
        char status[2 * RPC_MESSAGE_BYTES];
        struct sentence text =
            check_add_finding(verdict, CHECK_ENDING, CHECK_FAILED, facts->broken.count);
        bool conflict = contradicts_itself(&run->streams[facts->broken.stream]);
        sentence_add(&text, "%" PRIu64 " of %zu streams %s: %s", facts->broken.count,
                     verdict->streams,
                     conflict ? "ended with a status that contradicts itself"
                              : "had all answers and ended without an OK",
                     rpc_status_describe(&run->streams[facts->broken.stream].status, status,
                                         sizeof(status)));
    }
}

/* sticky-test exists to compare pods: a server without a name proves nothing to it. */
static bool lacks_pod_names(const struct check_run *run, const struct check_verdict *verdict)
{
    return run->plan->command == CHECK_STICKY && (verdict->unchecked & 1U << CHECK_STICKINESS) != 0;
}

static void find_gaps(const struct check_run *run, size_t group, const struct group_facts *facts,
                      struct check_verdict *verdict)
{
    if (facts->undone.count > 0) {
        struct sentence text =
            check_add_finding(verdict, CHECK_EVIDENCE, CHECK_NO_EVIDENCE, facts->undone.count);
        sentence_add(&text,
                     "not enough evidence from %" PRIu64 " of %zu streams: ", facts->undone.count,
                     verdict->streams);
        check_explain_end(&text, run, facts->undone.stream);
    } else if (lacks_pod_names(run, verdict)) {
        struct sentence text = check_add_finding(verdict, CHECK_EVIDENCE, CHECK_NO_EVIDENCE, 1);
        if (run->plan->service != NULL) {
            check_service_explain_pods(&text, run, group);
        } else {
            sentence_add(&text, "not enough evidence: server sends no server_id");
        }
    }
}

/* What happened to a boundary stream, whether it is right or not. */
static void tell_outcome(const struct check_run *run, size_t stream, struct check_verdict *verdict)
{
    const struct check_observation *seen = &run->streams[stream];
    struct sentence text = sentence_begin(verdict->outcome, sizeof(verdict->outcome));
    if (was_rejected(seen)) {
        char status[2 * RPC_MESSAGE_BYTES];
        sentence_add(&text, "rejected: %s",
                     rpc_status_describe(&seen->status, status, sizeof(status)));
    } else if (seen->pong_count > 0) {
        sentence_add(&text, "Server %s",
                     check_names_text(&run->names, seen->pongs[0].server_version));
    }
}

void check_judge_group(const struct check_run *run, size_t group, struct check_verdict *ret_verdict)
{
    const struct check_group *planned = &run->plan->groups[group];
    struct group_facts facts = {0};
    memset(ret_verdict, 0, sizeof(*ret_verdict));
    for (size_t i = 0; i < run->plan->stream_count; i++) {
        if (run->plan->streams[i].group == group) {
            tally_stream(run, i, planned->expect.rule, ret_verdict, &facts);
            if (planned->kind == CHECK_GROUP_BOUNDARY) {
                tell_outcome(run, i, ret_verdict);
            }
        }
    }
    find_version(run, group, ret_verdict);
    find_rejection(run, group, &facts, ret_verdict);
    find_mixing(run, &facts, ret_verdict);
    find_sequence_faults(run, &facts, ret_verdict);
    find_broken_ends(run, &facts, ret_verdict);
    find_gaps(run, group, &facts, ret_verdict);
}
