#include "demo/proxy_setup.h"

#include <stdio.h>
#include <string.h>

static void endpoints_of(const struct demo *demo, const char *version, char *out, size_t out_bytes)
{
    snprintf(out, out_bytes, "server-%s=", version);
    const char *separator = "";
    for (size_t i = 0; i < DEMO_SERVERS; i++) {
        if (strcmp(demo->servers[i].version, version) == 0) {
            size_t len = strlen(out);
            snprintf(out + len, out_bytes - len, "%s127.0.0.1:%u", separator,
                     (unsigned)demo->servers[i].port);
            separator = ",";
        }
    }
}

void proxy_setup_start(struct demo *demo, struct demo_child *child,
                       const struct demo_child_kind *kind, const struct proxy_setup *setup)
{
    char v1[128];
    char v2[128];
    char cert[DEMO_PATH_BYTES];
    char key[DEMO_PATH_BYTES];
    char listen[32];
    endpoints_of(demo, "v1", v1, sizeof(v1));
    endpoints_of(demo, "v2", v2, sizeof(v2));
    snprintf(listen, sizeof(listen), "127.0.0.1:%u", (unsigned)setup->port);
    const char *arguments[24] = {NULL};
    size_t count = 0;
    while (setup->first[count] != NULL) {
        arguments[count] = setup->first[count];
        count++;
    }
    const char *const common[] = {"--listen",    listen,
                                  "--admin",     setup->admin,
                                  "--endpoints", v1,
                                  "--endpoints", v2,
                                  "--cert",      demo_file(demo, setup->cert, cert),
                                  "--key",       demo_file(demo, "key.pem", key)};
    memcpy(&arguments[count], common, sizeof(common));
    const struct role_child_command command = {
        .arguments = arguments, .out = setup->out, .err = ROLE_CHILD_READ};
    demo_start(demo, child, setup->first[0], kind, &command);
}
