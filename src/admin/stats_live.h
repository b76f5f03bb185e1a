/* The metrics of the proxy that are neither of a worker nor of an endpoint. */
#ifndef GRPCROUTE_ADMIN_STATS_LIVE_H
#define GRPCROUTE_ADMIN_STATS_LIVE_H

struct metrics;
struct relay;

/* Streams, answers and answer times of each rule of the routes in force. */
void admin_routes_metrics(struct relay *relay, struct metrics *out);

/* How old streams are, and became. */
void admin_ages_metrics(struct relay *relay, struct metrics *out);

/* Bytes on the sockets of both sides. */
void admin_network_metrics(struct relay *relay, struct metrics *out);

#endif
