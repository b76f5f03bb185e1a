/* The demo: servers, a proxy and agents as children of this process, and the steps that show and check them. */
#ifndef GRPCROUTE_DEMO_DEMO_H
#define GRPCROUTE_DEMO_DEMO_H

#include <stdbool.h>
#include <stdint.h>

struct demo_options {
    bool keep;             /* leave it running after the checks */
    uint64_t agents;       /* per version */
    uint64_t interval_ns;  /* between pings */
};

/* Runs it; returns an exit code. Everything it started is gone when it returns. */
int demo_run(const struct demo_options *options);

#endif
