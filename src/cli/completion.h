/* Shell completion, generated from the tables that parse. */
#ifndef GRPCROUTE_CLI_COMPLETION_H
#define GRPCROUTE_CLI_COMPLETION_H

#include "cli/program.h"

#include <stdio.h>

/* Writes a completion script for `shell`, "bash", "zsh" or "fish", to `out`: commands, options,
 * choices, and file names where a file is wanted. Returns 0, or 1 for another shell. */
int cli_completion(const struct cli_program *program, const char *shell, FILE *out);

#endif
