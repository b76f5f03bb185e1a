#include "check/log_session.h"

#include "base/clock.h"
#include "check/log_source.h"
#include "check/print.h"
#include "check/verdict.h"
#include "cli/exit.h"
#include "role/input.h"

#include <stdio.h>

const char *const check_log_sources[] = {"kubectl", "-", NULL};
/* clang-format off */
#define PROBE_ONLY                                                                                 \
    "target", "connect-to", "authority", "header", "cacert", "cert", "key", "key-passphrase-file", \
    "tls-skip-verify", "plaintext", "streams", "agents", "interval", "every", "split", "boundary", \
    "seed"
const char *const check_log_excludes[] = {PROBE_ONLY, NULL};
const char *const check_sticky_log_excludes[] = {PROBE_ONLY, "version", "expect", "routes", NULL};
/* clang-format on */

int check_log_session_run(struct check_plan *plan, const struct check_log_options *options,
                          const struct check_session_options *session,
                          const struct check_log_owner *owner, check_log_judge *judge)
{
    const char *command = check_command_name(plan->command);
    struct check_run run;
    struct check_logs logs;
    struct check_report report;
    int rv = 0;
    if (role_input_refuse_twice(command, "--logs", options->sources.values,
                                options->sources.count) != 0) {
        return EXIT_USAGE;
    }
    plan->from_logs = true;
    check_run_init(&run, plan, "logs", session->timeout_ns);
    check_logs_init(&logs, &run, plan, owner);
    logs.deadline_ns = session->timeout_ns != 0 ? clock_now_ns() + session->timeout_ns : 0;
    for (size_t i = 0; i < options->sources.count && rv == 0 && run.interrupted_by == 0; i++) {
        rv = log_source_read(command, options->sources.values[i], options, &logs);
    }
    if (rv == 0) {
        size_t unknown = check_logs_unknown_agents(&logs);
        if (unknown > 0) {
            fprintf(stderr, "note: servers saw %zu agents that have no log here\n", unknown);
        }
        judge(&logs, owner->user, &report);
        check_report_interrupted(&report);
        rv = check_session_tell(command, &report, session);
    }
    check_logs_deinit(&logs);
    check_run_deinit(&run);
    return rv;
}
