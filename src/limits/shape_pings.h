/* PINGs in several intervals, each on connections of its own: which are taken, and how the refusal
 * looks. */
#ifndef GRPCROUTE_LIMITS_SHAPE_PINGS_H
#define GRPCROUTE_LIMITS_SHAPE_PINGS_H

#include "limits/shape.h"

extern const struct limits_plan limits_pings_plan;

#endif
