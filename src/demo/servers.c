/* Two servers each of two versions. */
#include "base/mem.h"
#include "demo/steps.h"
#include "demo/tell.h"

#include <stdio.h>
#include <string.h>

static void on_line(struct demo_child *child, const char *line)
{
    struct server_child *server = container_of(child, struct server_child, child);
    if (server->port == 0 && strstr(line, "Listening on ") != NULL) {
        server->port = demo_port_in(line, "Listening on ");
        demo_show_line(line);
    }
}

static const struct demo_child_kind kind = {.on_line = on_line};

/* On `port`, or on any that is free. */
static void start(struct demo *demo, struct server_child *server, uint16_t port)
{
    char listen[32];
    snprintf(listen, sizeof(listen), "127.0.0.1:%u", (unsigned)port);
    const char *const arguments[] = {
        "server", "--version",       server->version, "--id",        server->name, "--listen",
        listen,   "--drain-timeout", "500ms",         "--log-level", "info",       NULL};
    server->port = 0;
    demo_start_self(demo, &server->child, server->name, &kind, arguments);
}

static void begin(struct demo *demo)
{
    demo_title("1. Two servers each of version v1 and v2");
    for (size_t i = 0; i < DEMO_SERVERS; i++) {
        struct server_child *server = &demo->servers[i];
        server->version = i < DEMO_SERVERS / 2 ? "v1" : "v2";
        snprintf(server->name, sizeof(server->name), "server-%s-%c", server->version,
                 (char)('a' + i % 2));
        start(demo, server, 0);
    }
}

/* What stays for the user is whole: a server that was killed for show comes back where it was. */
static void begin_again(struct demo *demo)
{
    if (demo->options.keep) {
        start(demo, demo->victim, demo->victim->port);
    }
}

static bool is_over(const struct demo *demo)
{
    for (size_t i = 0; i < DEMO_SERVERS; i++) {
        if (demo->servers[i].port == 0) {
            return false;
        }
    }
    return true;
}

const struct demo_step demo_restart_step = {begin_again, is_over,
                                            "the killed server did not start again"};
const struct demo_step demo_servers_step = {begin, is_over, "the servers did not start"};
