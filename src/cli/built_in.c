#include "cli/built_in.h"

#include <stddef.h>

const struct cli_built_in cli_built_in[] = {
    {"help", "Show the help of a command: grpcroute help COMMAND"},
    {"man", "Print the manual page of a command: grpcroute man COMMAND | man -l -"},
    {"completion", "Print a completion script: grpcroute completion bash|zsh|fish"},
    {"version", "Show the versions of the program and its libraries"},
    {NULL, NULL},
};
