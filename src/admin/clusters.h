/* The clusters and their endpoints with health and counters, for /clusters. */
#ifndef GRPCROUTE_ADMIN_CLUSTERS_H
#define GRPCROUTE_ADMIN_CLUSTERS_H

#include <stdbool.h>

struct buf;
struct cJSON;
struct cluster;
struct relay;

/* Envoy's "cluster::endpoint::key::value" lines, each key once; the same as JSON. */
void admin_clusters_text(struct relay *relay, struct buf *out);
void admin_clusters_json(struct relay *relay, struct buf *out);

/* Adds a cluster without its endpoints to `array`, and returns it. */
struct cJSON *admin_cluster_json(struct cJSON *array, struct cluster *cluster, bool leaving);

#endif
