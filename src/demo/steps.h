/* The steps of a demo. Each begins by starting or stopping something, and is over when what it
 * waits for has been seen. */
#ifndef GRPCROUTE_DEMO_STEPS_H
#define GRPCROUTE_DEMO_STEPS_H

#include "demo/state.h"

struct demo_step {
    void (*begin)(struct demo *demo);
    bool (*is_over)(const struct demo *demo);
    const char *late; /* what is told when that takes too long; NULL: it may take any time */
};

extern const struct demo_step demo_servers_step;
extern const struct demo_step demo_proxy_step;
extern const struct demo_step demo_agents_step;
extern const struct demo_step demo_verify_step;
extern const struct demo_step demo_sticky_step;
extern const struct demo_step demo_failover_step;
extern const struct demo_step demo_restart_step;
extern const struct demo_step demo_summary_step;

#endif
