/* Shapes of a connection: in use by short calls, and left alone after one. */
#ifndef GRPCROUTE_LIMITS_SHAPE_CONNECTION_H
#define GRPCROUTE_LIMITS_SHAPE_CONNECTION_H

#include "limits/shape.h"

#define LIMITS_CONNECTION_PLANS 2
extern const struct limits_plan limits_connection_plans[LIMITS_CONNECTION_PLANS];

#endif
