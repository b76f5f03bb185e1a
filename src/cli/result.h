/* What every command that gives a verdict says in the end: one envelope around what it found, in
 * every form that was asked for. Whatever the outcome, each file is new, or not there. */
#ifndef GRPCROUTE_CLI_RESULT_H
#define GRPCROUTE_CLI_RESULT_H

#include "cli/common.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CLI_MESSAGE_BYTES 1400

struct cJSON;

struct cli_result {
    const char *command; /* "verify", "bench merge" */
    const char *target;  /* NULL: there is none */
    int exit_code;       /* cli/exit.h; decides `result`: cli_result_word() */
    const char *message; /* one sentence; escaped; NULL: the last cli_error() */
    uint64_t started_ns; /* since 1970; 0: when the program was called */
    uint64_t took_ns;    /* with started_ns */
};

/* The command's own part of each form; NULL where there is none. */
struct cli_printers {
    void (*text)(FILE *out, const void *found);
    void (*json)(struct cJSON *object, const void *found); /* adds fields */
    void (*markdown)(FILE *out, const void *found);        /* behind the verdict */
    void (*junit)(FILE *out, const void *found);           /* all of it */
    void (*page)(FILE *out, const void *found);            /* --report-file */
};

/* Writes the files, then standard output. Returns the exit code of the command: the result's, or
 * EXIT_USAGE where nothing was found wrong and something could not be written, which then every
 * form behind it says, too. */
int cli_result_tell(const struct cli_result *result, const struct cli_printers *printers,
                    const void *found, const struct cli_output_options *outputs);

/* Where lines for people go: not where a file "-" goes. */
FILE *cli_text_stream(const struct cli_output_options *outputs);

/* ---- the program around a command ------------------------------------------------------------ */

/* Notes the time. */
void cli_result_begin(void);
/* What runs is a command within the command, of that name and without --target: "bench merge". */
void cli_result_begin_inner(const char *name);
/* Its name; NULL: there is none. */
const char *cli_result_inner(void);
/* How long what is told took, the same in all its forms. */
double cli_result_seconds(void);
/* Whether cli_result_tell() was called since. */
bool cli_result_was_told(void);
/* fflush() whose error is the one below: what is printed bit by bit is flushed by this. */
void cli_flush(FILE *out);
/* errno of the first write to standard output that failed; 0: none did, or none is known. */
int cli_result_write_error(void);

#endif
