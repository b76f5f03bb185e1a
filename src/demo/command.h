/* `grpcroute demo`: the whole topology on this machine. */
#ifndef GRPCROUTE_DEMO_COMMAND_H
#define GRPCROUTE_DEMO_COMMAND_H

#include "cli/options.h"

extern const struct cli_command demo_command;

#endif
