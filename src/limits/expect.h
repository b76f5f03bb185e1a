/* How long a run takes where nothing stands in its way. Pure. */
#ifndef GRPCROUTE_LIMITS_EXPECT_H
#define GRPCROUTE_LIMITS_EXPECT_H

#include "limits/finding.h"

/* Of the shapes of `result` that are wanted and not left out: how long is looked for limits of
 * time, the second try later by `stagger_ns`, and behind that those that come alone. */
uint64_t limits_expect_ns(const struct limits_result *result, uint64_t stagger_ns);

/* Whether a shape is measured for as long as is looked for limits of time. */
bool limits_expects_time(const struct limits_result *result);

#endif
