/* What the program does around a command that writes result files: no old file is left, and a
 * command that ends early leaves a result, too. Commands without such options pass unharmed. */
#ifndef GRPCROUTE_CLI_RESULT_PROGRAM_H
#define GRPCROUTE_CLI_RESULT_PROGRAM_H

#include "cli/options.h"

/* Before anything is done: whether the files can be written, and nothing is to be two things; then
 * no old one is left. A file that the command reads, by an option or one of its `argc` positional
 * arguments, is no place for a result. Returns 0, or 1 after a line on standard error. */
int cli_result_prepare(const struct cli_command *command, const void *options, int argc,
                       char **argv);

/* The command line is wrong: removes the result files that it names all the same, but none that it
 * names as something else, too. */
void cli_result_discard(const struct cli_command *command, int argc, char **argv);

/* The command has returned `exit_code`: where that is of an error, and no result was told, the
 * envelope alone is told. Returns the exit code. */
int cli_result_finish(const struct cli_command *command, const void *options, int exit_code);

#endif
