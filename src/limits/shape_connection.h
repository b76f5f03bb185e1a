/* Shapes of a connection: in use by short calls, until there were many, and left alone after one.
 */
#ifndef GRPCROUTE_LIMITS_SHAPE_CONNECTION_H
#define GRPCROUTE_LIMITS_SHAPE_CONNECTION_H

#include "limits/shape.h"

#define LIMITS_CONNECTION_PLANS 3
extern const struct limits_plan limits_connection_plans[LIMITS_CONNECTION_PLANS];

#endif
