/* `grpcroute server`: the PingPong backend. */
#ifndef GRPCROUTE_SERVER_COMMAND_H
#define GRPCROUTE_SERVER_COMMAND_H

#include "cli/options.h"

extern const struct cli_command server_command;

#endif
