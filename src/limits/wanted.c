#include "limits/wanted.h"

#include "base/text.h"
#include "limits/plans.h"
#include "limits/shape.h"

#include <stdio.h>

static bool is_quiet(const struct limits_plan *plan)
{
    return plan != NULL && plan->turn == LIMITS_TURN_QUIET;
}

bool limits_is_spared(const struct limits_result *result, enum limits_shape shape,
                      char why[LIMITS_TEXT_BYTES])
{
    const struct limits_plan *plan = limits_plan_of(shape);
    char more[32];
    bool harsh = result->gentle && plan != NULL && plan->harsh;
    bool late = is_quiet(plan) && !result->findings[shape].named;
    if (why != NULL && harsh) {
        snprintf(why, LIMITS_TEXT_BYTES,
                 "left out by --gentle, as others on the path might feel it");
    } else if (why != NULL && late) {
        text_format_duration(more, sizeof(more), result->within_ns);
        snprintf(why, LIMITS_TEXT_BYTES, "--shapes %s (%s more, alone)", limits_shape_name(shape),
                 more);
    }
    return harsh || late;
}

bool limits_is_measured(const struct limits_result *result, enum limits_shape shape)
{
    return result->findings[shape].wanted && !limits_is_spared(result, shape, NULL);
}

/* Proxies share their connections to servers: alone, those that are silent would be that for a
 * shared one, too, and each byte of one try would be traffic of the other. */
enum limits_shape limits_company(const struct limits_result *result)
{
    bool silent =
        result->findings[LIMITS_IDLE].wanted || result->findings[LIMITS_IDLE_WITH_PINGS].wanted;
    return silent && !result->findings[LIMITS_AGE_STREAM].wanted ? LIMITS_AGE_STREAM
                                                                 : LIMITS_SHAPES;
}

uint64_t limits_looks_ns(const struct limits_result *result)
{
    unsigned times = 1;
    for (unsigned i = 0; i < LIMITS_SHAPES; i++) {
        times += limits_is_measured(result, i) && is_quiet(limits_plan_of(i));
    }
    return times * result->within_ns;
}
