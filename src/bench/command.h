#ifndef GRPCROUTE_BENCH_COMMAND_H
#define GRPCROUTE_BENCH_COMMAND_H

#include "cli/options.h"

extern const struct cli_command bench_command;

#endif
