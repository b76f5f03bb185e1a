/* Who is where at this moment: clusters with their endpoints, and which agent versions are on
 * which clusters. */
#ifndef GRPCROUTE_ADMIN_TOPOLOGY_H
#define GRPCROUTE_ADMIN_TOPOLOGY_H

struct cJSON;
struct relay;

/* Adds "clusters" and "flows" to `root`, at most as many as admin/dashboard_tick.h says, and
 * "endpoints", "healthy" and "clusters_more", "endpoints_more": how many there are, and how many of
 * them are not named. Endpoints that somebody should look at are named before the others. */
void topology_json(struct relay *relay, struct cJSON *root);

#endif
