/* `grpcroute limits compare BEFORE NOW`: results of `limits -o json` side by side. */
#ifndef GRPCROUTE_LIMITS_COMPARE_COMMAND_H
#define GRPCROUTE_LIMITS_COMPARE_COMMAND_H

#include "cli/common.h"

/* `argv` are the files alone. Returns the exit code of the command; what is wrong was told. */
int limits_compare_command(int argc, char **argv, const struct cli_output_options *outputs);

#endif
