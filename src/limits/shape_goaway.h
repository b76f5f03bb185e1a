/* A server that says GOAWAY and lets its streams live on for a while: whether the client hears of
 * it, and whether the stream has that while. */
#ifndef GRPCROUTE_LIMITS_SHAPE_GOAWAY_H
#define GRPCROUTE_LIMITS_SHAPE_GOAWAY_H

#include "limits/shape.h"

#define LIMITS_GOAWAY_PLANS 2
extern const struct limits_plan limits_goaway_plans[LIMITS_GOAWAY_PLANS];

#endif
