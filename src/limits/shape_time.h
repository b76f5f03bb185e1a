/* Shapes of one stream each: its age, its silence in each direction and
 * with all of the path, its half-close. */
#ifndef GRPCROUTE_LIMITS_SHAPE_TIME_H
#define GRPCROUTE_LIMITS_SHAPE_TIME_H

#include "limits/shape.h"

#define LIMITS_TIME_PLANS 7
extern const struct limits_plan limits_time_plans[LIMITS_TIME_PLANS];

#endif
