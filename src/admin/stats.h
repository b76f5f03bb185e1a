/* The proxy's numbers: Envoy's text form and Prometheus' form of the same tables. */
#ifndef GRPCROUTE_ADMIN_STATS_H
#define GRPCROUTE_ADMIN_STATS_H

struct buf;
struct metrics;
struct relay;

/* "cluster.server-v1.upstream_rq_total: 12" lines: a group per cluster, then http.grpc, then
 * server. */
void admin_stats_text(struct relay *relay, struct buf *out);

/* Prometheus text exposition. */
void admin_stats_prometheus(struct relay *relay, struct metrics *out);

#endif
