/* Keeps a configuration true for a proxy that wants addresses, not names: looks the names up again
 * and again and rewrites the file when an answer has changed. */
#ifndef GRPCROUTE_RENDER_WATCH_H
#define GRPCROUTE_RENDER_WATCH_H

#include "render/plan.h"

struct watch_config {
    render_fn *render;
    const struct render_plan *names; /* with names as endpoints */
    const char *output;              /* file; NULL: standard output, once */
    uint64_t every_ns;               /* 0: once */
};

/* Returns an exit code; with `every_ns` after SIGTERM or SIGINT. Once: a name that does not resolve
 * is EXIT_NO_CONNECTION, and nothing is written. With `every_ns`: it keeps its last addresses, has
 * none before the first ones, and nothing is written while all names together have none. A file
 * that cannot be written is an error. */
int watch_run(const struct watch_config *config);

#endif
