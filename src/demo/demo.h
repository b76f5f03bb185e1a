/* The demo: servers, a proxy and agents as children of this process, and the steps that show and
 * check them. */
#ifndef GRPCROUTE_DEMO_DEMO_H
#define GRPCROUTE_DEMO_DEMO_H

#include <stdbool.h>
#include <stdint.h>

/* Which proxy stands in the middle; all but the first are programs on PATH. */
enum demo_proxy {
    DEMO_PROXY_EMBEDDED,
    DEMO_PROXY_ENVOY,
    DEMO_PROXY_TRAEFIK,
    DEMO_PROXY_HAPROXY,
    DEMO_PROXY_NGINX,
};

struct demo_options {
    bool keep;            /* leave it running after the checks */
    unsigned proxy;       /* enum demo_proxy */
    uint64_t agents;      /* per version */
    uint64_t interval_ns; /* between pings */
};

/* Runs it; returns an exit code. Everything it started is gone when it returns. */
int demo_run(const struct demo_options *options);

#endif
