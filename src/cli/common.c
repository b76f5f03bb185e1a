#include "cli/common.h"

#include "base/log.h"

const char *const cli_log_formats[] = {"text", "json", NULL};
const char *const cli_log_levels[] = {"debug", "info", "warn", "error", NULL};
const char *const cli_outputs[] = {"text", "json", NULL};

void cli_log_apply(const struct cli_log_options *options)
{
    log_configure((enum log_level)options->level, (enum log_format)options->format);
}
