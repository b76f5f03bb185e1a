/* What verify and sticky-test have in common: options to a prober, a report to its printers. */
#ifndef GRPCROUTE_CHECK_SESSION_H
#define GRPCROUTE_CHECK_SESSION_H

#include "check/plan.h"
#include "cli/common.h"

struct check_session_options {
    struct cli_connect_options connect;
    struct cli_output_options report;
    uint64_t timeout_ns;
    struct cli_list logs; /* files, "-" for standard input; none: probe */
};

/* Probes the plan against the target, prints the report, writes the JUnit file. Returns the exit
 * code. */
int check_session_run(const struct check_plan *plan, const struct check_session_options *options);

/* Judges the version groups of the plan by `options->logs` instead. Returns the exit code. */
int check_session_verify_logs(const struct check_plan *plan,
                              const struct check_session_options *options);

#endif
