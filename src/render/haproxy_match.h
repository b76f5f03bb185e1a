/* Matches as conditions of HAProxy. */
#ifndef GRPCROUTE_RENDER_HAPROXY_MATCH_H
#define GRPCROUTE_RENDER_HAPROXY_MATCH_H

#include "render/plan.h"

#include <stdio.h>

/* Returns 0, or 1 with a sentence in `reason` when HAProxy cannot say a value of the routes. */
int haproxy_check(const struct route_table *routes, char reason[static RENDER_REASON_BYTES]);

/* The lines that name the conditions of the `index`-th match, where it has many. */
void haproxy_put_names(FILE *out, const struct route_match *match, size_t index);
/* The conditions, each with a blank in front; none where `match` is NULL. */
void haproxy_put_match(FILE *out, const struct route_match *match, size_t index);

#endif
