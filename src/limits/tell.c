#include "limits/tell.h"

#include "cli/result.h"
#include "limits/print.h"

int limits_tell(const struct limits_report *report, const struct cli_output_options *outputs)
{
    static const struct cli_printers printers = {
        .text = limits_print_text,
        .json = limits_print_json,
        .markdown = limits_print_markdown,
        .junit = limits_print_junit,
        .page = limits_print_page,
    };
    char message[LIMITS_MESSAGE_BYTES];
    const struct cli_result told = {
        .command = "limits",
        .target = report->result->target,
        .exit_code = limits_report_exit_code(report),
        .message = limits_report_message(report, message),
    };
    return cli_result_tell(&told, &printers, report, outputs);
}
