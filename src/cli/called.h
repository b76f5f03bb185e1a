/* How the program was called, for commands that it prints for people to paste. */
#ifndef GRPCROUTE_CLI_CALLED_H
#define GRPCROUTE_CLI_CALLED_H

#include <stddef.h>

/* Notes argv[0], which is borrowed. */
void cli_called_as(const char *name);

/* The program as it was called, as a shell takes it; "grpcroute" when nobody noted it. */
const char *cli_called(void);

/* Writes `text` as one word of a shell; cut when `out_bytes` is too small. Returns `out`. */
char *cli_shell_word(char *out, size_t out_bytes, const char *text);

#endif
