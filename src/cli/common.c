/* Options that several commands share. */
#include "cli/common.h"

#include "base/log.h"

const char *const cli_output_choices[] = {"text", "json", NULL};
const char *const cli_log_format_choices[] = {"text", "json", NULL}; /* enum log_format */
const char *const cli_log_level_choices[] = {"debug", "info", "warn", "error",
                                             NULL}; /* log_level */

int cli_connect_check(const char *command, const struct cli_connect_options *options)
{
    if (options->cacert != NULL && options->plaintext) {
        cli_error(command, "--cacert: contradicts --plaintext (USE_TLS=false), which means no TLS");
        return 1;
    }
    if (options->cacert != NULL && options->tls_skip_verify) {
        cli_error(command, "--cacert: contradicts --tls-skip-verify, which verifies nothing");
        return 1;
    }
    return 0;
}

void cli_log_apply(const struct cli_log_options *options)
{
    log_configure((enum log_level)options->level, (enum log_format)options->format);
}
