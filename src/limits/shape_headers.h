/* Whether headers pass before any message: to the server, and back. */
#ifndef GRPCROUTE_LIMITS_SHAPE_HEADERS_H
#define GRPCROUTE_LIMITS_SHAPE_HEADERS_H

#include "limits/shape.h"

#define LIMITS_HEADERS_PLANS 1
extern const struct limits_plan limits_headers_plans[LIMITS_HEADERS_PLANS];

#endif
