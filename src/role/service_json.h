/* A service of --method, in results. */
#ifndef GRPCROUTE_ROLE_SERVICE_JSON_H
#define GRPCROUTE_ROLE_SERVICE_JSON_H

#include "role/service.h"

struct cJSON;

/* Adds "service": what was called and where its answers were looked into, null where they were
 * not. Adds nothing for NULL, PingPong. */
void role_service_add_json(struct cJSON *object, const struct role_service *service);

#endif
