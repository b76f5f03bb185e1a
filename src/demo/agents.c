/* Agents of every version, and what their lines say: who answered, and who is back. */
#include "base/clock.h"
#include "base/mem.h"
#include "demo/steps.h"
#include "demo/tell.h"

#include <stdio.h>
#include <string.h>

static const char *const versions[DEMO_VERSIONS] = {"v1.1", "v1.2", "v2.1", "v2.2"};

static bool is_back(const struct demo *demo, const struct agent_child *agent)
{
    return demo->step == STEP_FAILOVER && agent->hit && agent->back_ns == 0 &&
           strcmp(agent->pod, demo->victim->name) != 0;
}

/* `pong` is "...server=VERSION/POD message=...". */
static void count_pong(const struct demo *demo, struct agent_child *agent, const char *pong)
{
    const char *slash = strchr(pong, '/');
    agent->pongs++;
    if (slash != NULL) {
        snprintf(agent->pod, sizeof(agent->pod), "%.*s", (int)strcspn(slash + 1, " "), slash + 1);
        agent->back_ns = is_back(demo, agent) ? clock_now_ns() : agent->back_ns;
    }
}

static void on_line(struct demo_child *child, const char *line)
{
    struct agent_child *agent = container_of(child, struct agent_child, child);
    const struct demo *demo = child->demo;
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

static const struct demo_child_kind kind = {.on_line = on_line};

static void begin(struct demo *demo)
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
        agent->version = versions[i % DEMO_VERSIONS];
        snprintf(agent->name, sizeof(agent->name), "agent-v%c-%c-%zu", agent->version[1],
                 agent->version[3], i / DEMO_VERSIONS + 1);
        const char *const arguments[] = {"agent",      "--version", agent->version,
                                         "--id",       agent->name, "--target",
                                         target,       "--cacert",  demo_file(demo, "ca.pem", ca),
                                         "--interval", interval,    NULL};
        demo_start_self(demo, &agent->child, agent->name, &kind, arguments);
    }
}

static bool is_over(const struct demo *demo)
{
    for (size_t i = 0; i < demo->agent_count; i++) {
        if (demo->agents[i].pongs < DEMO_PONGS_WANTED) {
            return false;
        }
    }
    return true;
}

const struct demo_step demo_agents_step = {begin, is_over, "the agents were not all answered"};
