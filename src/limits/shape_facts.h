/* What arrives of what was sent: statuses, their messages, metadata of any bytes, resets and
 * cancellations, deadlines; each case a short stream. */
#ifndef GRPCROUTE_LIMITS_SHAPE_FACTS_H
#define GRPCROUTE_LIMITS_SHAPE_FACTS_H

#include "limits/shape.h"

#define LIMITS_FACTS_PLANS 8
extern const struct limits_plan limits_facts_plans[LIMITS_FACTS_PLANS];

#endif
