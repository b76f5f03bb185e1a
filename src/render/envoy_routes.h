/* Routes as those of Envoy. */
#ifndef GRPCROUTE_RENDER_ENVOY_ROUTES_H
#define GRPCROUTE_RENDER_ENVOY_ROUTES_H

#include "render/plan.h"

#include <stdio.h>

/* The virtual hosts, one for each entry of the routes. Returns 0, or 1 with a sentence in `reason`
 * when Envoy cannot say a value of the routes. */
int envoy_put_routes(FILE *out, const struct route_table *routes,
                     char reason[static RENDER_REASON_BYTES]);

#endif
