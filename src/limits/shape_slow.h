/* A stream that is not read beside a quick one on the same connection: what the path does to the
 * quick one, and what it holds of the slow one. */
#ifndef GRPCROUTE_LIMITS_SHAPE_SLOW_H
#define GRPCROUTE_LIMITS_SHAPE_SLOW_H

#include "limits/shape.h"

#define LIMITS_SLOW_PLANS 2
extern const struct limits_plan limits_slow_plans[LIMITS_SLOW_PLANS];

#endif
