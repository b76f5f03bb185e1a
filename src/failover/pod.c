#include "failover/pod.h"

#include "base/text.h"

#include <string.h>

void failover_pod_take(struct failover_pod *pod, const struct role_service *service,
                       const struct rpc_ping_response *pong)
{
    const char *name =
        service != NULL && pong->server_id[0] == '\0' ? pong->server_version : pong->server_id;
    *pod = (struct failover_pod){0};
    text_escape(pod->name, sizeof(pod->name), name, strlen(name));
    text_escape(pod->version, sizeof(pod->version), pong->server_version,
                strlen(pong->server_version));
}
