/* What the completion scripts have in common. */
#ifndef GRPCROUTE_CLI_COMPLETION_IMPL_H
#define GRPCROUTE_CLI_COMPLETION_IMPL_H

#include "cli/program.h"

#include <stdio.h>

#define CLI_SHELLS "bash zsh fish" /* that cli_completion() knows */

void cli_completion_bash(const struct cli_program *program, FILE *out);
void cli_completion_zsh(const struct cli_program *program, FILE *out);
void cli_completion_fish(const struct cli_program *program, FILE *out);

bool cli_completion_takes_file(const struct cli_option *option);

/* Writes `words`, which end with NULL, with a blank between two. */
void cli_completion_words(const char *const *words, FILE *out);

#endif
