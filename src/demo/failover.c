/* One server is killed: which agents it hits, and when each is answered elsewhere. */
#include "base/clock.h"
#include "cli/exit.h"
#include "demo/steps.h"
#include "demo/tell.h"

#include <signal.h>
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

static void begin(struct demo *demo)
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
    demo_end_child(&demo->victim->child, SIGKILL);
}

static bool is_over(const struct demo *demo)
{
    for (size_t i = 0; i < demo->agent_count; i++) {
        if (demo->agents[i].hit && demo->agents[i].back_ns == 0) {
            return false;
        }
    }
    return demo->victim != NULL && !role_child_runs(&demo->victim->child.process);
}

const struct demo_step demo_failover_step = {begin, is_over, "the streams did not come back"};
