/* What verify and sticky-test have in common: options to a prober, a report to its printers. */
#ifndef GRPCROUTE_CHECK_SESSION_H
#define GRPCROUTE_CHECK_SESSION_H

#include "check/finding.h"
#include "cli/common.h"
#include "role/connect.h"

struct check_session_options {
    struct role_connect_options connect;
    struct cli_output_options report;
    uint64_t timeout_ns;
};

/* Options of both: pings on each stream, at least so many; the time between them; the time for
 * all. */
/* clang-format off */
#define CHECK_MESSAGES_OPTION(type, field, default_text, least)                                    \
    {.name = "messages", .short_name = 'n', .kind = CLI_COUNT, .offset = offsetof(type, field),    \
     .argument = "N", .fallback = default_text, .min = least, .max = 1000000,                      \
     .help = "Pings on each stream"}

#define CHECK_INTERVAL_OPTION(type, field, default_text)                                           \
    {.name = "interval", .kind = CLI_DURATION, .offset = offsetof(type, field),                    \
     .argument = "DURATION", .fallback = default_text, .max = UINT64_C(3600000000000),             \
     .help = "Time between the pings of a stream"}

#define CHECK_TIMEOUT_OPTION(type, field)                                                          \
    {.name = "timeout", .kind = CLI_DURATION, .offset = offsetof(type, field),                     \
     .argument = "DURATION", .fallback = "0", .max = UINT64_C(86400000000000),                     \
     .help = "Time for everything together; 0 for what the messages need and 10 s more, and with " \
             "--logs for as long as it takes"}
/* clang-format on */

/* Probes the plan against the target, tells the report. Returns the exit code. */
int check_session_run(struct check_plan *plan, const struct check_session_options *options);

/* Tells the report (cli/result.h), and frees it. Returns the exit code. */
int check_session_tell(const char *command, struct check_report *report,
                       const struct check_session_options *options);

#endif
