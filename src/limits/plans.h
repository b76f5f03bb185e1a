/* Who measures which shape. */
#ifndef GRPCROUTE_LIMITS_PLANS_H
#define GRPCROUTE_LIMITS_PLANS_H

#include "limits/shape.h"

/* NULL: nobody. */
const struct limits_plan *limits_plan_of(enum limits_shape shape);

#endif
