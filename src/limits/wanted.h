/* Which shapes a run measures, and which it leaves out, with the reason. Pure. */
#ifndef GRPCROUTE_LIMITS_WANTED_H
#define GRPCROUTE_LIMITS_WANTED_H

#include "limits/finding.h"

/* Whether a shape that is wanted is left out: by --gentle, or since it takes as long as all others
 * and is not named. `why`: the reason; NULL: nobody wants it. */
bool limits_is_spared(const struct limits_result *result, enum limits_shape shape,
                      char why[LIMITS_TEXT_BYTES]);

/* Whether it is wanted, and not left out. */
bool limits_is_measured(const struct limits_result *result, enum limits_shape shape);

/* The shape whose streams keep the path in use beside those that are silent, and that is not told
 * of; LIMITS_SHAPES: none is needed. */
enum limits_shape limits_company(const struct limits_result *result);

/* How long is looked for limits of time in all, one behind the other. */
uint64_t limits_looks_ns(const struct limits_result *result);

#endif
