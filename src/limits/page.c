/* The result as a page: what JSON says, and how far was looked, drawn. */
#include "base/text.h"
#include "cli/invocation.h"
#include "limits/limits_page.h" /* written by inline.py */
#include "limits/print.h"
#include "limits/report.h"

#include <cJSON.h>

static char *data_of(const struct limits_report *report)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "target",
                            report->result->target != NULL ? report->result->target : "");
    limits_print_json(root, report);
    cJSON_AddNumberToObject(root, "looked_ns", (double)limits_report_looked_ns(report->result));
    char *text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    return text;
}

void limits_print_page(FILE *out, const void *printed)
{
    const struct limits_report *report = printed;
    char message[LIMITS_MESSAGE_BYTES];
    int exit_code = limits_report_exit_code(report);
    limits_report_message(report, message);
    text_make_readable(message);
    const struct cli_report told = {
        .command = "limits",
        .result = cli_result_word(exit_code),
        .headline = message,
        .exit_code = exit_code,
    };
    char *data = data_of(report);
    cli_write_page(out, limits_html, &told, data);
    cJSON_free(data);
}
