/* The words beside the program's commands. */
#ifndef GRPCROUTE_CLI_BUILT_IN_H
#define GRPCROUTE_CLI_BUILT_IN_H

struct cli_built_in {
    const char *name;
    const char *summary; /* starts with a verb, no full stop */
};

extern const struct cli_built_in cli_built_in[]; /* ends with an empty one */

#endif
