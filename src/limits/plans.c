#include "limits/plans.h"

#include "base/mem.h"
#include "limits/shape_connection.h"
#include "limits/shape_facts.h"
#include "limits/shape_goaway.h"
#include "limits/shape_headers.h"
#include "limits/shape_pings.h"
#include "limits/shape_sizes.h"
#include "limits/shape_slow.h"
#include "limits/shape_time.h"
#include "limits/shape_wall.h"

static const struct {
    const struct limits_plan *plans;
    size_t count;
} MODULES[] = {
    {limits_time_plans, LIMITS_TIME_PLANS},
    {limits_connection_plans, LIMITS_CONNECTION_PLANS},
    {&limits_pings_plan, 1},
    {limits_headers_plans, LIMITS_HEADERS_PLANS},
    {limits_wall_plans, LIMITS_WALL_PLANS},
    {limits_sizes_plans, LIMITS_SIZES_PLANS},
    {limits_slow_plans, LIMITS_SLOW_PLANS},
    {limits_facts_plans, LIMITS_FACTS_PLANS},
    {limits_goaway_plans, LIMITS_GOAWAY_PLANS},
};

const struct limits_plan *limits_plan_of(enum limits_shape shape)
{
    for (size_t m = 0; m < ARRAY_SIZE(MODULES); m++) {
        for (size_t i = 0; i < MODULES[m].count; i++) {
            if (MODULES[m].plans[i].shape == shape) {
                return &MODULES[m].plans[i];
            }
        }
    }
    return NULL;
}
