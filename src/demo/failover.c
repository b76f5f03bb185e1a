/* One server is killed: which agents it hits, and when each is answered elsewhere. */
#include "base/clock.h"
#include "base/text.h"
#include "cli/exit.h"
#include "cli/terminal.h"
#include "demo/impl.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static struct server_child *server_named(struct demo *demo, const char *name)
{
    for (size_t i = 0; i < DEMO_SERVERS; i++) {
        if (strcmp(demo->servers[i].name, name) == 0) {
            return &demo->servers[i];
        }
    }
    return NULL;
}

void demo_begin_failover(struct demo *demo)
{
    demo->victim = server_named(demo, demo->agents[0].pod);
    if (demo->victim == NULL) {
        demo_give_up(demo, EXIT_CHECK_FAILED, "%s is answered by an unknown server",
                     demo->agents[0].name);
        return;
    }
    demo_title("6. Failover: kill -9 %s, in the middle of its streams", demo->victim->name);
    for (size_t i = 0; i < demo->agent_count; i++) {
        demo->agents[i].hit = strcmp(demo->agents[i].pod, demo->victim->name) == 0;
    }
    demo->killed_ns = clock_now_ns();
    child_signal(&demo->victim->child, SIGKILL);
}

void demo_failover_pong(struct demo *demo, struct agent_child *agent)
{
    if (demo->step == STEP_FAILOVER && agent->hit && agent->back_ns == 0 &&
        strcmp(agent->pod, demo->victim->name) != 0) {
        agent->back_ns = clock_now_ns();
    }
}

bool demo_all_back(const struct demo *demo)
{
    for (size_t i = 0; i < demo->agent_count; i++) {
        if (demo->agents[i].hit && demo->agents[i].back_ns == 0) {
            return false;
        }
    }
    return demo->victim != NULL;
}

void demo_tell_failover(const struct demo *demo)
{
    for (size_t i = 0; i < demo->agent_count; i++) {
        const struct agent_child *agent = &demo->agents[i];
        char gap[32];
        if (agent->hit) {
            text_format_duration(gap, sizeof(gap), agent->back_ns - demo->killed_ns);
            printf("%s %s is back after %s, on %s\n", cli_mark(CLI_MARK_GOOD), agent->name, gap,
                   agent->pod);
        }
    }
}
