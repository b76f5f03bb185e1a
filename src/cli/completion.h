/* Shell completion, made of the command tables. */
#ifndef GRPCROUTE_CLI_COMPLETION_H
#define GRPCROUTE_CLI_COMPLETION_H

#include "cli/options.h"

/* Prints a completion script for "bash" or "zsh" to standard output; `commands` ends with NULL. Returns 0, or 1 for another
 * shell. */
int cli_print_completion(const char *shell, const struct cli_command *const *commands);

#endif
