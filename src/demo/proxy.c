/* The proxy of a demo: ours, or a real one. */
#include "demo/proxy_setup.h"
#include "demo/real_proxy.h"
#include "demo/steps.h"
#include "demo/tell.h"

#include <stdio.h>
#include <string.h>

static void take_addresses(struct demo *demo, const char *line)
{
    const char *admin = strstr(line, "admin on ");
    demo->proxy_port = demo_port_in(line, "Listening on ");
    snprintf(demo->admin, sizeof(demo->admin), "%s",
             admin != NULL ? admin + strlen("admin on ") : "");
}

static void on_line(struct demo_child *child, const char *line)
{
    struct demo *demo = child->demo;
    if (demo->proxy_port == 0 && strstr(line, "Listening on ") != NULL) {
        take_addresses(demo, line);
    }
    demo->proxy_ready = demo->proxy_ready || strstr(line, "] Ready") != NULL;
    if (demo->step == STEP_PROXY || demo->step == STEP_FAILOVER) {
        demo_show_line(line);
    }
}

static const struct demo_child_kind kind = {.on_line = on_line};

static void start_embedded(struct demo *demo)
{
    static const char *const first[] = {"proxy", "--drain-timeout", "500ms", NULL};
    static const struct proxy_setup setup = {
        .first = first, .cert = "cert.pem", .admin = "127.0.0.1:0", .out = ROLE_CHILD_READ};
    demo_title("2. A proxy: TLS in front, routes on agent-version, round robin over the servers");
    proxy_setup_start(demo, &demo->proxy, &kind, &setup);
}

static void begin(struct demo *demo)
{
    if (demo->options.proxy == DEMO_PROXY_EMBEDDED) {
        start_embedded(demo);
    } else {
        real_proxy_start(demo);
    }
}

static bool is_over(const struct demo *demo)
{
    return demo->proxy_ready;
}

const struct demo_step demo_proxy_step = {begin, is_over, "the proxy did not become ready"};
