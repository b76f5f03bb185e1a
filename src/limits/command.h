#ifndef GRPCROUTE_LIMITS_COMMAND_H
#define GRPCROUTE_LIMITS_COMMAND_H

#include "cli/options.h"

extern const struct cli_command limits_command;

#endif
