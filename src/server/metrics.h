/* A server's numbers for Prometheus. */
#ifndef GRPCROUTE_SERVER_METRICS_H
#define GRPCROUTE_SERVER_METRICS_H

#include "base/metrics.h"

struct server;

void server_metrics_write(const struct server *server, struct metrics *metrics);

#endif
