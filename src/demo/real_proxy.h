/* A proxy that is not ours: a program on PATH with the configuration that render writes for it. */
#ifndef GRPCROUTE_DEMO_REAL_PROXY_H
#define GRPCROUTE_DEMO_REAL_PROXY_H

#include "demo/state.h"

/* 0, or 1 after saying that its program is not on PATH; 0 for ours. */
int real_proxy_check(enum demo_proxy proxy);

/* Once, before all below. */
void real_proxy_init(struct demo *demo);

/* Writes its configuration and starts it; demo.proxy_ready follows. */
void real_proxy_start(struct demo *demo);

/* Nothing waits for it to be ready any more; also when it was never started. */
void real_proxy_stop_waiting(struct demo *demo);

#endif
