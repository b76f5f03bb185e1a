/* How many streams a connection carries at once. */
#ifndef GRPCROUTE_LIMITS_SHAPE_WALL_H
#define GRPCROUTE_LIMITS_SHAPE_WALL_H

#include "limits/shape.h"

#define LIMITS_WALL_PLANS 1
extern const struct limits_plan limits_wall_plans[LIMITS_WALL_PLANS];

#endif
