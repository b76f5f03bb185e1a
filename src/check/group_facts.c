/* Each stream of a group is added to what the group shows. */
#include "check/group_facts.h"

#include "check/service.h"

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

bool check_was_rejected(const struct check_observation *seen)
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
    return check_was_rejected(seen) && seen->status.origin != RPC_FROM_RESET &&
           (seen->status.code == RPC_UNIMPLEMENTED ||
            (our_server &&
             (seen->status.code == RPC_NOT_FOUND || seen->status.code == RPC_INVALID_ARGUMENT)));
}

static void tally_end(const struct check_run *run, size_t stream, enum role_expect_rule rule,
                      const struct check_facts *facts, struct check_group_facts *group)
{
    const struct check_observation *seen = &run->streams[stream];
    bool rejection_is_right =
        rule == ROLE_EXPECT_REJECTED || rule == ROLE_EXPECT_REPORT || rule == ROLE_EXPECT_UNKNOWN;
    if (rejection_is_right && check_was_rejected(seen)) {
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

bool check_contradicts_itself(const struct check_observation *seen)
{
    return seen->ended && seen->status.origin == RPC_FROM_CONFLICT;
}

/* What comes after the last answer decides how the call ends for its agent; that an end says two
 * things is wrong at any time. */
static bool ended_badly(const struct check_observation *seen)
{
    return check_contradicts_itself(seen) ||
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

void check_group_tally(const struct check_run *run, size_t stream, enum role_expect_rule rule,
                       struct check_verdict *verdict, struct check_group_facts *group)
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
