/* How large messages and metadata may be, and of how many fields, each way. */
#ifndef GRPCROUTE_LIMITS_SHAPE_SIZES_H
#define GRPCROUTE_LIMITS_SHAPE_SIZES_H

#include "limits/shape.h"

#define LIMITS_SIZES_PLANS 6
extern const struct limits_plan limits_sizes_plans[LIMITS_SIZES_PLANS];

#endif
