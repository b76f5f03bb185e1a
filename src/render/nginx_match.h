/* Matches as maps of nginx: a variable for each, 1 when it holds. */
#ifndef GRPCROUTE_RENDER_NGINX_MATCH_H
#define GRPCROUTE_RENDER_NGINX_MATCH_H

#include "render/plan.h"

#include <stddef.h>
#include <stdio.h>

/* A map for each condition of the `index`-th match. Returns 0, or 1 with a sentence in `reason`
 * when nginx cannot say one. `match` may be NULL: any request. */
int nginx_put_conditions(FILE *out, size_t index, const struct route_match *match,
                         char reason[static RENDER_REASON_BYTES]);

/* $match and the index: all conditions of the match hold. `host`: the number of the host's map,
 * 0: any host. */
void nginx_put_and(FILE *out, size_t index, size_t host, const struct route_match *match);

/* A map for the hosts of the `index`-th entry. Returns its number, or 0 where any host will do. */
size_t nginx_put_host(FILE *out, const struct route_table *routes, size_t index);

#endif
