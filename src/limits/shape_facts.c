#include "limits/shape_facts.h"

#include "limits/fact_shape.h"
#include "limits/lane.h"

#define PATIENCE_MS 5000

struct state {
    size_t next;
    struct limits_cases cases;
};

static const struct limits_fact_shape *shape_of(const struct limits_lane *lane)
{
    return lane->ops->what;
}

static bool next(struct limits_lane *lane, struct limits_trial_setup *setup)
{
    const struct state *state = lane->state;
    const struct limits_fact_shape *shape = shape_of(lane);
    if (state->next == shape->count) {
        return false;
    }
    setup->patience_ms = PATIENCE_MS;
    shape->ask(state->next, setup);
    return true;
}

static void told(struct limits_lane *lane, const struct limits_trial_seen *seen)
{
    struct state *state = lane->state;
    if (seen->asked && !seen->told.answered) {
        char why[LIMITS_TEXT_BYTES];
        limits_cases_unknown(&state->cases,
                             rpc_status_describe(&seen->told.status, why, sizeof(why)));
    } else {
        shape_of(lane)->look(state->next, seen, &state->cases);
    }
    state->next++;
}

static void sum(const struct limits_lane *lane, struct limits_sample *sample)
{
    const struct state *state = lane->state;
    limits_cases_sample(&state->cases, sample);
}

#define LANES(name, cases_)                                                                        \
    static const struct limits_lane_ops name = {.next = next,                                      \
                                                .told = told,                                      \
                                                .sum = sum,                                        \
                                                .judge = limits_facts_judge,                       \
                                                .state_bytes = sizeof(struct state),               \
                                                .looked = (cases_),                                \
                                                .what = &limits_fact_##name}

LANES(status, LIMITS_CASES_STATUS);
LANES(trailers_only, LIMITS_CASES_TRAILERS_ONLY);
LANES(message, LIMITS_CASES_MESSAGE);
LANES(binary, LIMITS_CASES_BINARY);
LANES(reset, LIMITS_CASES_RESET);
LANES(client_reset, LIMITS_CASES_CLIENT_RESET);
LANES(cancel, 1);
LANES(deadline, 1);

const struct limits_plan limits_facts_plans[LIMITS_FACTS_PLANS] = {
    LIMITS_LANES_PLAN(LIMITS_STATUS, LIMITS_TURN_TOGETHER, false, &status),
    LIMITS_LANES_PLAN(LIMITS_TRAILERS_ONLY, LIMITS_TURN_TOGETHER, false, &trailers_only),
    LIMITS_LANES_PLAN(LIMITS_STATUS_MESSAGE, LIMITS_TURN_TOGETHER, false, &message),
    LIMITS_LANES_PLAN(LIMITS_BINARY_METADATA, LIMITS_TURN_TOGETHER, false, &binary),
    LIMITS_LANES_PLAN(LIMITS_RESET_FROM_SERVER, LIMITS_TURN_TOGETHER, false, &reset),
    LIMITS_LANES_PLAN(LIMITS_RESET_FROM_CLIENT, LIMITS_TURN_TOGETHER, false, &client_reset),
    LIMITS_LANES_PLAN(LIMITS_CANCEL, LIMITS_TURN_TOGETHER, false, &cancel),
    LIMITS_LANES_PLAN(LIMITS_DEADLINE, LIMITS_TURN_TOGETHER, false, &deadline),
};
