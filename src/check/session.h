/* What verify and sticky-test have in common: options to a prober, a report to its printers. */
#ifndef GRPCROUTE_CHECK_SESSION_H
#define GRPCROUTE_CHECK_SESSION_H

#include "check/verdict.h"
#include "cli/common.h"
#include "role/connect.h"

struct check_session_options {
    struct role_connect_options connect;
    struct cli_output_options report;
    uint64_t timeout_ns;
};

/* Probes the plan against the target, tells the report. Returns the exit code. */
int check_session_run(struct check_plan *plan, const struct check_session_options *options);

/* Tells the report (cli/result.h), and frees it. Returns the exit code. */
int check_session_tell(const char *command, struct check_report *report,
                       const struct check_session_options *options);

#endif
