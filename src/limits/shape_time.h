/* Shapes of one stream each: its age, its silence in each direction, its half-close. */
#ifndef GRPCROUTE_LIMITS_SHAPE_TIME_H
#define GRPCROUTE_LIMITS_SHAPE_TIME_H

#include "limits/shape.h"

#define LIMITS_TIME_PLANS 6
extern const struct limits_plan limits_time_plans[LIMITS_TIME_PLANS];

#endif
