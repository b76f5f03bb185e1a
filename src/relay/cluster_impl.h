/* The insides of a cluster; for its files alone: cluster_members.c and cluster_pick.c over
 * endpoint.c over cluster.c. */
#ifndef GRPCROUTE_RELAY_CLUSTER_IMPL_H
#define GRPCROUTE_RELAY_CLUSTER_IMPL_H

#include "relay/cluster.h"

/* ---- cluster.c ---- */

/* Nobody knows the endpoint any more; what it counted stays. */
void cluster_depart(struct endpoint *endpoint);

/* ---- endpoint.c ---- */

/* One of unknown health; the caller has the first reference. With the cluster's mutex held. */
struct endpoint *endpoint_new(struct cluster *cluster, const struct sockaddr_storage *address);

#endif
