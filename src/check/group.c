/* Judges one group of streams.
 *
 * A failure needs one message that proves it. "Passed" needs every stream of the group to have run
 * to its end; anything in between is "not enough evidence", never a pass. */
#include "check/group.h"

#include "check/explain.h"
#include "check/group_facts.h"
#include "check/service.h"

#include <inttypes.h>
#include <string.h>

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
                           const struct check_group_facts *facts, struct check_verdict *verdict)
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

static void find_mixing(const struct check_run *run, const struct check_group_facts *facts,
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

static void find_sequence_faults(const struct check_run *run, const struct check_group_facts *facts,
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

static void find_broken_ends(const struct check_run *run, const struct check_group_facts *facts,
                             struct check_verdict *verdict)
{
    if (facts->broken.count > 0) {
        char status[2 * RPC_MESSAGE_BYTES];
        struct sentence text =
            check_add_finding(verdict, CHECK_ENDING, CHECK_FAILED, facts->broken.count);
        bool conflict = check_contradicts_itself(&run->streams[facts->broken.stream]);
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

static void find_gaps(const struct check_run *run, size_t group,
                      const struct check_group_facts *facts, struct check_verdict *verdict)
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
    if (check_was_rejected(seen)) {
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
    struct check_group_facts facts = {0};
    memset(ret_verdict, 0, sizeof(*ret_verdict));
    for (size_t i = 0; i < run->plan->stream_count; i++) {
        if (run->plan->streams[i].group == group) {
            check_group_tally(run, i, planned->expect.rule, ret_verdict, &facts);
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
