/* The servers, agents and checks of a demo: how they start, and what their lines say. */
#include "cli/exit.h"
#include "demo/impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const agent_versions[DEMO_VERSIONS] = {"v1.1", "v1.2", "v2.1", "v2.2"};

const char *demo_file(const struct demo *demo, const char *name, char out[static DEMO_PATH_BYTES])
{
    snprintf(out, DEMO_PATH_BYTES, "%.4000s/%s", demo->dir, name);
    return out;
}

void demo_target(const struct demo *demo, char out[static DEMO_NAME_BYTES])
{
    snprintf(out, DEMO_NAME_BYTES, "localhost:%u", (unsigned)demo->proxy_port);
}

uint16_t demo_port_in(const char *line, const char *before)
{
    const char *at = strstr(line, before);
    const char *end = at != NULL ? at + strcspn(at, ",") : NULL;
    while (end != NULL && end > at && end[-1] != ':') {
        end--;
    }
    return end != NULL ? (uint16_t)strtoul(end, NULL, 10) : 0;
}

void demo_start(struct demo *demo, struct child *child, const char *name,
                const char *const *arguments)
{
    const struct child_command command = {.arguments = arguments};
    int rv = child_start(&demo->children, child, name, &command);
    if (rv != 0) {
        demo_give_up(demo, EXIT_USAGE, "cannot start %s: %s", name, strerror(-rv));
    }
}

/* ---- servers --------------------------------------------------------------------------------- */

void demo_start_servers(struct demo *demo)
{
    demo_title("1. Two servers each of version v1 and v2");
    for (size_t i = 0; i < DEMO_SERVERS; i++) {
        struct server_child *server = &demo->servers[i];
        server->version = i < DEMO_SERVERS / 2 ? "v1" : "v2";
        snprintf(server->name, sizeof(server->name), "server-%s-%c", server->version,
                 (char)('a' + i % 2));
        const char *const arguments[] = {
            "server",     "--version",   server->version, "--id",
            server->name, "--listen",    "127.0.0.1:0",   "--drain-timeout",
            "500ms",      "--log-level", "info",          NULL};
        demo_start(demo, &server->child, server->name, arguments);
        server->child.role = server;
    }
}

void demo_server_line(struct server_child *server, const char *line)
{
    if (server->port == 0 && strstr(line, "Listening on ") != NULL) {
        server->port = demo_port_in(line, "Listening on ");
        demo_show_line(line);
    }
}

bool demo_servers_listen(const struct demo *demo)
{
    for (size_t i = 0; i < DEMO_SERVERS; i++) {
        if (demo->servers[i].port == 0) {
            return false;
        }
    }
    return true;
}

/* ---- agents ---------------------------------------------------------------------------------- */

void demo_start_agents(struct demo *demo)
{
    demo_title("3. Agents of versions v1.1, v1.2, v2.1 and v2.2, one long-lived stream each");
    char target[DEMO_NAME_BYTES];
    char ca[DEMO_PATH_BYTES];
    char interval[32];
    demo_target(demo, target);
    snprintf(interval, sizeof(interval), "%llums",
             (unsigned long long)demo->options.interval_ns / 1000000);
    for (size_t i = 0; i < demo->agent_count; i++) {
        struct agent_child *agent = &demo->agents[i];
        agent->version = agent_versions[i % DEMO_VERSIONS];
        snprintf(agent->name, sizeof(agent->name), "agent-v%c-%c-%zu", agent->version[1],
                 agent->version[3], i / DEMO_VERSIONS + 1);
        const char *const arguments[] = {"agent",      "--version", agent->version,
                                         "--id",       agent->name, "--target",
                                         target,       "--cacert",  demo_file(demo, "ca.pem", ca),
                                         "--interval", interval,    NULL};
        demo_start(demo, &agent->child, agent->name, arguments);
        agent->child.role = agent;
    }
}

/* `pong` is "...server=VERSION/POD message=...". */
static void count_pong(struct demo *demo, struct agent_child *agent, const char *pong)
{
    const char *slash = strchr(pong, '/');
    agent->pongs++;
    if (slash != NULL) {
        snprintf(agent->pod, sizeof(agent->pod), "%.*s", (int)strcspn(slash + 1, " "), slash + 1);
        demo_failover_pong(demo, agent);
    }
}

void demo_agent_line(struct demo *demo, struct agent_child *agent, const char *line)
{
    const char *pong = strstr(line, "Received pong from server=");
    bool was_back = agent->back_ns != 0;
    if (pong != NULL) {
        count_pong(demo, agent, pong);
    }
    bool watched = demo->step == STEP_AGENTS && agent->pongs <= DEMO_PONGS_WANTED;
    bool failing_over = demo->step == STEP_FAILOVER && agent->hit && !was_back;
    if (watched || failing_over) {
        demo_show_line(line);
    }
}

bool demo_agents_answered(const struct demo *demo)
{
    for (size_t i = 0; i < demo->agent_count; i++) {
        if (demo->agents[i].pongs < DEMO_PONGS_WANTED) {
            return false;
        }
    }
    return true;
}

/* ---- checks ---------------------------------------------------------------------------------- */

void demo_start_check(struct demo *demo, const char *command)
{
    char target[DEMO_NAME_BYTES];
    char ca[DEMO_PATH_BYTES];
    demo_target(demo, target);
    const char *const arguments[] = {
        command, "--target", target, "--cacert", demo_file(demo, "ca.pem", ca), NULL};
    demo_start(demo, &demo->check, command, arguments);
}
