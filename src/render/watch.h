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

/* Returns an exit code; with `every_ns` after SIGTERM or SIGINT. A name without addresses has no
 * endpoints, which is no error; a file that cannot be written is. */
int watch_run(const struct watch_config *config);

#endif
