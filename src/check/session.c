#include "check/session.h"

#include "check/print.h"
#include "check/probe.h"
#include "cli/exit.h"
#include "cli/junit.h"

#include <stdio.h>
#include <string.h>

int check_session_tell(const char *command, struct check_report *report,
                       const struct check_session_options *options)
{
    if (options->report.output == CLI_OUTPUT_JSON) {
        check_print_json(stdout, report);
    } else {
        check_print_text(stdout, report);
    }
    if (report->result == CHECK_NOT_CONNECTED) {
        fflush(stdout);
        cli_error(command, "%s", report->reason);
    }
    int rv = report->exit_code;
    if (cli_write_file(command, "--junit-file", options->report.junit_file, check_print_junit,
                       report) != 0 &&
        rv == EXIT_GOOD) {
        rv = EXIT_USAGE;
    }
    if (cli_write_file(command, "--report-file", options->report.report_file, check_print_page,
                       report) != 0 &&
        rv == EXIT_GOOD) {
        rv = EXIT_USAGE;
    }
    check_report_deinit(report);
    return rv;
}

static int report_run(const char *command, const struct check_run *run,
                      const struct check_session_options *options)
{
    struct check_report report;
    check_judge(run, &report);
    return check_session_tell(command, &report, options);
}

static int probe_and_report(const char *command, const struct check_plan *plan,
                            const struct check_session_options *options,
                            const struct role_target *target)
{
    struct check_run run;
    check_run_init(&run, plan, target->name, options->timeout_ns);
    if (options->report.output == CLI_OUTPUT_TEXT && plan->command == CHECK_STICKY) {
        check_print_begin(stdout, plan);
        fflush(stdout);
    }
    int rv = check_probe(&run, target);
    if (rv < 0) {
        cli_error(command, "cannot start an event loop: %s", strerror(-rv));
        rv = EXIT_USAGE;
    } else {
        rv = report_run(command, &run, options);
    }
    check_run_deinit(&run);
    return rv;
}

int check_session_run(struct check_plan *plan, const struct check_session_options *options)
{
    const char *command = check_command_name(plan->command);
    struct role_target target;
    if (role_target_init(&target, command, &options->connect) != 0) {
        return EXIT_USAGE;
    }
    plan->id_hidden = !role_target_id_is_echoed(&target);
    plan->version_hidden = !role_target_version_is_echoed(&target);
    bool can_tell = cli_check_file(command, "--junit-file", options->report.junit_file) == 0 &&
                    cli_check_file(command, "--report-file", options->report.report_file) == 0;
    int rv = can_tell ? probe_and_report(command, plan, options, &target) : EXIT_USAGE;
    role_target_deinit(&target);
    return rv;
}
