/* Who gave an answer. */
#ifndef GRPCROUTE_FAILOVER_POD_H
#define GRPCROUTE_FAILOVER_POD_H

#include "failover/history.h"
#include "role/pinger.h"

/* Of PingPong, or of the service where it is not NULL. */
void failover_pod_take(struct failover_pod *pod, const struct role_service *service,
                       const struct rpc_ping_response *pong);

#endif
