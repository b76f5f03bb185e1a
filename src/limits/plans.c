#include "limits/plans.h"

#include "base/mem.h"
#include "limits/shape_connection.h"
#include "limits/shape_pings.h"
#include "limits/shape_time.h"

static const struct {
    const struct limits_plan *plans;
    size_t count;
} MODULES[] = {
    {limits_time_plans, LIMITS_TIME_PLANS},
    {limits_connection_plans, LIMITS_CONNECTION_PLANS},
    {&limits_pings_plan, 1},
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
