/* One JSON object for each stream that has ended, on the proxy's standard output, in the form that
 * `grpcroute proxy --access-log` writes and `grpcroute verify --logs` reads. What clients chose is
 * cut, and escaped by the proxy. Each function writes nothing where the plan has no log. */
#ifndef GRPCROUTE_RENDER_STREAM_LOG_H
#define GRPCROUTE_RENDER_STREAM_LOG_H

#include "render/plan.h"

/* Into the connection manager; the second one among its filters, before any that ends a request. */
void stream_log_envoy(FILE *out, const struct render_plan *plan);
void stream_log_envoy_filter(FILE *out, const struct render_plan *plan);

/* Into the section "global", into the frontend before any rule, and into each backend. */
void stream_log_haproxy_global(FILE *out, const struct render_plan *plan);
void stream_log_haproxy(FILE *out, const struct render_plan *plan);
void stream_log_haproxy_backend(FILE *out, const struct render_plan *plan, const char *cluster);

/* Into the http block, and into the server. */
void stream_log_nginx(FILE *out, const struct render_plan *plan);
void stream_log_nginx_server(FILE *out, const struct render_plan *plan);

/* Into the static configuration. Traefik's keys are its own, and so is what it logs of headers that
 * a rule rewrites. Returns 0, or 1 with a reason. */
int stream_log_traefik(FILE *out, const struct render_plan *plan,
                       char reason[static RENDER_REASON_BYTES]);

#endif
