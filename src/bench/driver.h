/* Generates the load of a bench and fills its result. */
#ifndef GRPCROUTE_BENCH_DRIVER_H
#define GRPCROUTE_BENCH_DRIVER_H

#include "bench/result.h"
#include "role/expect.h"

struct bench_driver_config {
    const struct role_target *target;       /* borrowed */
    const struct role_expectation *expects; /* borrowed; of the setup's versions */
};

/* Runs result->setup. Returns an exit code: EXIT_GOOD when the load ran, EXIT_NO_CONNECTION when no
 * stream was ever answered (one line has been printed), or that of a signal. */
int bench_drive(struct bench_result *result, const struct bench_driver_config *config);

#endif
