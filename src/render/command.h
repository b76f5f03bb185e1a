#ifndef GRPCROUTE_RENDER_COMMAND_H
#define GRPCROUTE_RENDER_COMMAND_H

#include "cli/options.h"

extern const struct cli_command render_command;

#endif
