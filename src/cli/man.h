/* Manual pages, generated from the tables that parse. */
#ifndef GRPCROUTE_CLI_MAN_H
#define GRPCROUTE_CLI_MAN_H

#include "cli/program.h"

#include <stdio.h>

/* Writes the page of `command`, or of the whole program where it is NULL, to `out`, in the man(7)
 * language. */
void cli_man(const struct cli_program *program, const struct cli_command *command, FILE *out);

#endif
