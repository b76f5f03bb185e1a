/* What the proxies of a demo are told alike. */
#ifndef GRPCROUTE_DEMO_PROXY_SETUP_H
#define GRPCROUTE_DEMO_PROXY_SETUP_H

#include "demo/state.h"

struct proxy_setup {
    const char *const *first; /* words before the common ones, at most 6; ends with NULL */
    const char *cert;         /* file in the demo's folder */
    uint16_t port;            /* where it listens; 0: where it likes */
    const char *admin;        /* HOST:PORT */
    int out;                  /* as role_child_command's */
};

/* Starts this binary, as a proxy or to render a configuration; the child's name is the first word.
 */
void proxy_setup_start(struct demo *demo, struct demo_child *child,
                       const struct demo_child_kind *kind, const struct proxy_setup *setup);

#endif
