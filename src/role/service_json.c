#include "role/service_json.h"

#include <cJSON.h>

static void add_source(cJSON *object, const char *name, const struct role_source *source)
{
    cJSON_AddItemToObject(object, name,
                          source->kind != ROLE_SOURCE_NONE ? cJSON_CreateString(source->text)
                                                           : cJSON_CreateNull());
}

void role_service_add_json(struct cJSON *object, const struct role_service *service)
{
    if (service == NULL) {
        return;
    }
    cJSON *json = cJSON_AddObjectToObject(object, "service");
    cJSON_AddStringToObject(json, "method", service->path);
    cJSON_AddStringToObject(json, "call", role_call_choices[service->call]);
    cJSON_AddNumberToObject(json, "message_bytes", (double)service->message_len);
    add_source(json, "server_from", &service->server);
    add_source(json, "pod_from", &service->pod);
}
