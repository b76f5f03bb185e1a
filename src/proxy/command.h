/* `grpcroute proxy`. */
#ifndef GRPCROUTE_PROXY_COMMAND_H
#define GRPCROUTE_PROXY_COMMAND_H

#include "cli/options.h"

extern const struct cli_command proxy_command;

#endif
