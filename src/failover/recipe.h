/* Short names of common faults, for the commands that they stand for. */
#ifndef GRPCROUTE_FAILOVER_RECIPE_H
#define GRPCROUTE_FAILOVER_RECIPE_H

#include <stdbool.h>
#include <stddef.h>

#define FAILOVER_COMMAND_BYTES 2048

/* `kubectl` is what a shell runs for it, options included. */
struct failover_recipe_setting {
    const char *kubectl;
    const char *namespace;
};

/* Writes what the shell is to run for `fault`. Returns 0 for a recipe; 1 where `fault` is a command
 * of the user's own, which is left to him; -1 with `*ret_reason` for a recipe with a mistake. */
int failover_recipe_expand(const char *fault, const struct failover_recipe_setting *setting,
                           char out[static FAILOVER_COMMAND_BYTES], const char **ret_reason);

#endif
