/* Holds streams, runs the fault, watches them come back. */
#ifndef GRPCROUTE_FAILOVER_RUN_H
#define GRPCROUTE_FAILOVER_RUN_H

#include "failover/result.h"
#include "role/connect.h"

struct failover_config {
    const struct role_target *target; /* borrowed */
    uint64_t interval_ns;             /* between the pings of a stream */
    uint64_t settle_ns;               /* how long all must be well after the fault */
};

/* Fills the streams of the result, whose ids and versions are set. Returns 0, or an exit code after
 * a line on standard error: EXIT_NO_CONNECTION when the streams could not be opened, EXIT_USAGE
 * when the command could not be started, or that of a signal. */
int failover_run(struct failover_result *result, const struct failover_config *config);

#endif
