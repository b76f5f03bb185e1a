#include "check/session.h"

#include "check/print.h"
#include "check/probe.h"
#include "check/verdict.h"
#include "cli/exit.h"
#include "cli/result.h"

#include <stdio.h>
#include <string.h>

int check_session_tell(const char *command, struct check_report *report,
                       const struct check_session_options *options)
{
    static const struct cli_printers printers = {
        .text = check_print_text,
        .json = check_print_json,
        .markdown = check_print_markdown,
        .junit = check_print_junit,
        .page = check_print_page,
    };
    char message[CHECK_TEXT_BYTES];
    const struct cli_result result = {
        .command = command,
        .target = report->run->target,
        .exit_code = report->exit_code,
        .message = check_summary(report, message, sizeof(message)),
    };
    if (report->result == CHECK_NOT_CONNECTED) {
        cli_error(command, "%s", report->reason);
    }
    int rv = cli_result_tell(&result, &printers, report, &options->report);
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
        check_print_begin(cli_text_stream(&options->report), plan);
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

/* sticky-test compares the answers of a call. */
static bool can_stick(const struct check_plan *plan)
{
    return plan->command != CHECK_STICKY ||
           role_service_allow(plan->service, "sticky-test",
                              1U << ROLE_CALL_BIDI | 1U << ROLE_CALL_SERVER_STREAM,
                              "such a call has one answer, and the next may come from another pod: "
                              "there is nothing to stick to, expected bidi or server-stream") == 0;
}

int check_session_run(struct check_plan *plan, const struct check_session_options *options)
{
    const char *command = check_command_name(plan->command);
    struct role_target target;
    if (role_target_init(&target, command, &options->connect) != 0) {
        return EXIT_USAGE;
    }
    role_target_warn(&target, command);
    plan->id_hidden = !role_target_id_is_echoed(&target);
    plan->version_hidden = !role_target_version_is_echoed(&target);
    plan->service = target.service;
    int rv = can_stick(plan) ? probe_and_report(command, plan, options, &target) : EXIT_USAGE;
    role_target_deinit(&target);
    return rv;
}
