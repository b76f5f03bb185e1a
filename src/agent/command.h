/* `grpcroute agent`: clients of one version, each with one long-lived PingPong stream. */
#ifndef GRPCROUTE_AGENT_COMMAND_H
#define GRPCROUTE_AGENT_COMMAND_H

#include "cli/options.h"

extern const struct cli_command agent_command;

#endif
