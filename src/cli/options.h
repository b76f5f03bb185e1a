/* One table per command drives parsing, environment, defaults, ranges, help and completion. */
#ifndef GRPCROUTE_CLI_OPTIONS_H
#define GRPCROUTE_CLI_OPTIONS_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a value is, and the type of the field that `offset` names. */
enum cli_kind {
    CLI_FLAG,     /* bool; no argument; --no-NAME is not offered */
    CLI_STRING,   /* const char *, borrowed from argv or the environment */
    CLI_FILE,     /* const char *; completion offers files */
    CLI_CHOICE,   /* unsigned: index into `choices` */
    CLI_COUNT,    /* uint64_t in [min, max] */
    CLI_DURATION, /* uint64_t ns in [min, max] ns */
    CLI_TARGET,   /* struct text_address with a host; default port 8443 when missing */
    CLI_LISTEN,   /* struct text_address; "8443", ":8443", "HOST:8443" */
    CLI_VERSION,  /* const char *, checked with text_parse_version(); "v1" or "v1.2" */
    CLI_LIST,     /* struct cli_list: repeatable, each use adds a value; commas are kept as they are */
};

#define CLI_LIST_MAX 64

struct cli_list {
    const char *values[CLI_LIST_MAX]; /* borrowed */
    size_t count;
};

struct cli_option {
    const char *name;         /* "tls-skip-verify", without dashes */
    char short_name;          /* 'k', or 0 */
    enum cli_kind kind;
    size_t offset;            /* of the field in the command's options struct */
    const char *argument;     /* "HOST:PORT", shown in help; NULL for flags */
    const char *fallback;     /* default as a user would type it; NULL: none (zeroed field) */
    const char *environment;  /* variable consulted when the flag is absent and it is not empty; NULL: none */
    bool environment_negated; /* flags: the variable says the opposite (USE_TLS=false is --plaintext) */
    bool required;
    uint64_t min;             /* CLI_COUNT, CLI_DURATION; both 0: no limits */
    uint64_t max;
    const char *const *choices; /* CLI_CHOICE; ends with NULL */
    const char *help;         /* one sentence, no full stop */
};

struct cli_command {
    const char *name;
    const char *summary;      /* starts with a verb, no full stop */
    const char *description;  /* paragraphs, or NULL */
    const char *examples;     /* "  # comment\n  grpcroute ...\n" lines */
    const char *positional;   /* "COMMAND" in the usage line; NULL: none are allowed */
    const struct cli_option *options;
    size_t option_count;
    size_t struct_bytes;      /* size of the options struct */
    /* Runs with the parsed struct and the positional arguments; returns an exit code. */
    int (*run)(const void *options, int argc, char **argv);
};

/* Parses `argv` (without the program and command names) into the zeroed `ret_options`.
 * Precedence: flag, environment, default. "--" ends options. Returns 0, or 1 after one line on stderr that names
 * the option, what is wrong, what was expected, and a suggestion for unknown names; `ret_help` is set instead when
 * --help or -h was given. `ret_argc`/`ret_argv` are the positional arguments. */
int cli_parse(const struct cli_command *command, int argc, char **argv, void *ret_options,
              bool *ret_help, int *ret_argc, char ***ret_argv);

/* Prints the help of a command to standard output: usage, description, options with argument, default, range,
 * environment; examples; exit codes. */
void cli_print_help(const struct cli_command *command);

/* One line on stderr: "grpcroute COMMAND: " and the text, bytes escaped. For errors that end the command. */
void cli_error(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
