/* The program around the commands: which one runs, help, version. */
#ifndef GRPCROUTE_CLI_PROGRAM_H
#define GRPCROUTE_CLI_PROGRAM_H

#include "cli/options.h"

struct cli_program {
    const char *summary;
    const char *examples;
    const char *version;                       /* "grpcroute 0.1.0 (...)" */
    const struct cli_command *const *commands; /* in the order of the help */
    size_t command_count;
};

/* Runs the command that `argv` names: one of the program's or a built-in one (built_in.h).
 * Returns the exit code of the process. */
int cli_run(const struct cli_program *program, int argc, char **argv);

/* Prints the help of the whole program to standard output. */
void cli_print_overview(const struct cli_program *program);

#endif
