#ifndef GRPCROUTE_FAILOVER_COMMAND_H
#define GRPCROUTE_FAILOVER_COMMAND_H

#include "cli/options.h"

extern const struct cli_command failover_test_command;

#endif
