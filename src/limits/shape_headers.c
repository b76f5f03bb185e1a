/* Two streams: one without a message, which the server answers with headers at once; and, where
 * these do not come, one with a message, to know that it is the message which was missing. */
#include "limits/shape_headers.h"

#include "base/clock.h"
#include "limits/facts.h"
#include "limits/headers.h"
#include "limits/lane.h"

#define PATIENCE_MS 4000

struct state {
    unsigned tried;
    struct limits_headers headers;
};

static bool next(struct limits_lane *lane, struct limits_trial_setup *setup)
{
    struct state *state = lane->state;
    setup->script.headers_at_once = true;
    setup->until = LIMITS_UNTIL_HEADERS;
    setup->patience_ms = PATIENCE_MS;
    setup->asking = state->tried == 0 ? LIMITS_ASK_ONCE : LIMITS_ASK_NOT;
    if (state->tried == 1) {
        setup->script.echo = true;
        setup->sends = true;
    }
    return state->tried == 0 || (state->tried == 1 && !state->headers.came);
}

static uint64_t since(uint64_t from_ns, uint64_t to_ns)
{
    return to_ns > from_ns ? to_ns - from_ns : 0;
}

static void told(struct limits_lane *lane, const struct limits_trial_seen *seen)
{
    struct state *state = lane->state;
    struct limits_headers *headers = &state->headers;
    if (state->tried++ == 1) {
        headers->came_with_message = seen->headers_ns != 0 || seen->answers > 0;
        return;
    }
    headers->came = seen->headers_ns != 0;
    headers->came_ns = since(seen->opened_ns, seen->headers_ns);
    headers->waited_ns = since(seen->opened_ns, seen->ended_ns);
    headers->server_asked = seen->asked && seen->told.answered;
    headers->server_saw_ns = since(seen->opened_ns, seen->told.opened_ns);
    /* not with the end of the stream, which brings a request that was held on its way */
    headers->server_saw =
        seen->told.found && headers->server_saw_ns + NS_PER_MS < headers->waited_ns;
}

static void sum(const struct limits_lane *lane, struct limits_sample *sample)
{
    const struct state *state = lane->state;
    limits_headers_sample(&state->headers, sample);
}

static const struct limits_lane_ops ops = {
    .next = next,
    .told = told,
    .sum = sum,
    .judge = limits_facts_judge,
    .state_bytes = sizeof(struct state),
    .looked = 2,
};

const struct limits_plan limits_headers_plans[LIMITS_HEADERS_PLANS] = {
    LIMITS_LANES_PLAN(LIMITS_HEADERS_FIRST, LIMITS_TURN_TOGETHER, false, &ops),
};
