#include "limits/shape_goaway.h"

#include "base/clock.h"
#include "limits/facts.h"
#include "limits/goaway.h"
#include "limits/lane.h"

#include <string.h>

#define AFTER_MS    500
#define GRACE_MS    2000
#define PATIENCE_MS (AFTER_MS + GRACE_MS + 5000)
/* A status that no proxy makes up. */
#define GOODBYE_CODE    RPC_ABORTED
#define GOODBYE_MESSAGE "the grace is over"

struct state {
    bool tried;
    struct limits_trial_seen seen;
};

static bool next(struct limits_lane *lane, struct limits_trial_setup *setup)
{
    struct state *state = lane->state;
    setup->script = (struct rpc_probe_script){
        .send_every_ms = AFTER_MS / 5,
        .go_on = true,
        .end_after_ms = AFTER_MS,
        .goaway = true,
        .grace_ms = GRACE_MS,
        .status = GOODBYE_CODE,
        .status_message = GOODBYE_MESSAGE,
    };
    setup->patience_ms = PATIENCE_MS;
    return !state->tried;
}

static void told(struct limits_lane *lane, const struct limits_trial_seen *seen)
{
    struct state *state = lane->state;
    state->tried = true;
    state->seen = *seen;
}

static uint64_t since_opened(const struct limits_trial_seen *seen, uint64_t ns)
{
    return ns > seen->opened_ns ? ns - seen->opened_ns : 0;
}

static struct limits_goodbye goodbye_of(const struct limits_trial_seen *seen)
{
    return (struct limits_goodbye){
        .began = seen->headers_ns != 0 || seen->answers > 0,
        .after_ns = AFTER_MS * NS_PER_MS,
        .grace_ns = GRACE_MS * NS_PER_MS,
        .goaway_came = seen->goaway_ns != 0 && seen->goaway_ns <= seen->ended_ns,
        .goaway_ns = since_opened(seen, seen->goaway_ns),
        .ended = !seen->given_up,
        .ended_ns = since_opened(seen, seen->ended_ns),
        .as_sent = seen->sample.end == LIMITS_END_TRAILERS && seen->status.code == GOODBYE_CODE &&
                   strcmp(seen->status.message, GOODBYE_MESSAGE) == 0,
        .saw = seen->sample.saw,
        .end = seen->sample.end,
        .code = seen->sample.code,
    };
}

static void sum_goaway(const struct limits_lane *lane, struct limits_sample *sample)
{
    const struct state *state = lane->state;
    const struct limits_goodbye goodbye = goodbye_of(&state->seen);
    limits_goaway_sample(&goodbye, sample);
}

static void sum_grace(const struct limits_lane *lane, struct limits_sample *sample)
{
    const struct state *state = lane->state;
    const struct limits_goodbye goodbye = goodbye_of(&state->seen);
    limits_grace_sample(&goodbye, sample);
}

static const struct limits_lane_ops goaway = {
    .next = next,
    .told = told,
    .sum = sum_goaway,
    .judge = limits_facts_judge,
    .state_bytes = sizeof(struct state),
    .looked = 1,
};

static const struct limits_lane_ops grace = {
    .next = next,
    .told = told,
    .sum = sum_grace,
    .judge = limits_facts_judge,
    .state_bytes = sizeof(struct state),
    .looked = 1,
};

/* Behind a proxy that shares its connections to servers, others' streams are on the one that the
 * server ends, and new ones of theirs have to go elsewhere. */
const struct limits_plan limits_goaway_plans[LIMITS_GOAWAY_PLANS] = {
    LIMITS_LANES_PLAN(LIMITS_GOAWAY, LIMITS_TURN_GOAWAY, true, &goaway),
    LIMITS_LANES_PLAN(LIMITS_GRACE, LIMITS_TURN_GOAWAY, true, &grace),
};
