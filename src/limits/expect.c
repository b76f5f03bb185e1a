#include "limits/expect.h"

#include "base/clock.h"
#include "limits/plans.h"
#include "limits/shape.h"
#include "limits/wanted.h"

/* Facts alone: their patience, not --within. */
#define TOGETHER_MS 7000

/* What a turn took straight to a server, where all of its tries go as far as they can. */
static const uint32_t TURN_MS[LIMITS_TURNS] = {
    [LIMITS_TURN_GOAWAY] = 5000,        [LIMITS_TURN_WALL] = 4000,
    [LIMITS_TURN_MESSAGES] = 5000,      [LIMITS_TURN_SLOW_READER] = 11000,
    [LIMITS_TURN_BUFFERED] = 11000,     [LIMITS_TURN_FIELDS_UP] = 1000,
    [LIMITS_TURN_FIELDS_DOWN] = 1000,   [LIMITS_TURN_METADATA_UP] = 1000,
    [LIMITS_TURN_METADATA_DOWN] = 1000,
};

static bool is_timed(enum limits_shape shape)
{
    return limits_shape_kind(shape) == LIMITS_DURATION || shape == LIMITS_REQUESTS_PER_CONNECTION;
}

bool limits_expects_time(const struct limits_result *result)
{
    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        if (is_timed(i) && limits_is_measured(result, i)) {
            return true;
        }
    }
    return false;
}

uint64_t limits_expect_ns(const struct limits_result *result, uint64_t stagger_ns)
{
    bool turns[LIMITS_TURNS] = {false};
    uint64_t ns = 0;
    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        const struct limits_plan *plan = limits_plan_of(i);
        if (plan == NULL || !limits_is_measured(result, i)) {
            continue;
        }
        uint64_t together_ns =
            is_timed(i) ? result->within_ns + stagger_ns : TOGETHER_MS * NS_PER_MS;
        turns[plan->turn] = true;
        ns = plan->turn == LIMITS_TURN_TOGETHER && together_ns > ns ? together_ns : ns;
    }
    for (unsigned i = 0; i < LIMITS_TURNS; i++) {
        ns += turns[i] ? TURN_MS[i] * NS_PER_MS : 0;
    }
    ns += turns[LIMITS_TURN_QUIET] ? result->within_ns : 0;
    return ns;
}
