/* Measures all shapes that are wanted, at once, on one event loop. */
#ifndef GRPCROUTE_LIMITS_RUN_H
#define GRPCROUTE_LIMITS_RUN_H

#include "limits/finding.h"
#include "role/connect.h"

/* What the shapes that come alone may take, one after the other, beyond the time that is looked for
 * limits of time. */
#define LIMITS_RUN_SPARE_MS 300000

/* `result` has its target, within_ns, gentle, and of the findings `wanted`; gets the rest.
 * `version` is that of the agent that calls. Returns 0, or a negative libuv error when there is no
 * event loop to be had. */
int limits_run(struct limits_result *result, const struct role_target *target, const char *version);

#endif
