/* How the program was called: for reports that say what made them. */
#ifndef GRPCROUTE_CLI_INVOCATION_H
#define GRPCROUTE_CLI_INVOCATION_H

#include "cli/options.h"

#include <stdio.h>

/* Notes the command line and the time. `argv` is as main() has it, with the program and the word of
 * `command` in front. */
void cli_invocation_note(const struct cli_command *command, int argc, char **argv);
void cli_invocation_forget(void);

/* What a report says of itself. */
struct cli_report {
    const char *command;
    const char
        *result; /* a word: "passed", "failed", "no_evidence", "not_connected", "interrupted" */
    const char *headline; /* a sentence */
    int exit_code;
};

/* Writes `html`, a page of src/page/, with `data`, a JSON object, and with this, the program's
 * version, the date, and the command as typed; values of secret options are not in it. */
void cli_write_page(FILE *out, const unsigned char *html, const struct cli_report *report,
                    const char *data);

/* The word for an exit code. */
const char *cli_result_word(int exit_code);

#endif
