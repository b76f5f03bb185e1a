/* One table per command drives parsing, environment, defaults, ranges, help and completion. */
#ifndef GRPCROUTE_CLI_OPTIONS_H
#define GRPCROUTE_CLI_OPTIONS_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a value is, and the type of the field that `offset` names. */
enum cli_kind {
    CLI_FLAG,        /* bool; "--name" alone, or "--name=false" to overrule the environment */
    CLI_STRING,      /* const char *, borrowed from argv or the environment; never empty */
    CLI_FILE,        /* const char *; completion offers files */
    CLI_RESULT_FILE, /* the same: written in the end; an old one does not survive a command that
                        fails */
    CLI_CHOICE,      /* unsigned: index into `choices` */
    CLI_COUNT,       /* uint64_t in [min, max] */
    CLI_DURATION,    /* uint64_t ns in [min, max] ns */
    CLI_SIZE,        /* uint64_t bytes; "64MiB", "512Ki", "2G" */
    CLI_TARGET,      /* struct text_address with a host; default port 8443 when missing */
    CLI_PEER,        /* struct text_address with a host; port 0 when missing */
    CLI_LISTEN,  /* struct text_address; "8443", ":8443", "HOST:8443"; host "" and port 0: not given
                  */
    CLI_VERSION, /* const char *, checked with text_parse_version(); "v1" or "v1.2" */
    CLI_LIST,    /* struct cli_list: each use adds a value; commas are kept as they are */
};

#define CLI_LIST_MAX    64
#define CLI_OPTIONS_MAX 64 /* of one command */

struct cli_list {
    const char *values[CLI_LIST_MAX]; /* borrowed */
    size_t count;
};

struct cli_option {
    const char *name; /* "tls-skip-verify", without dashes */
    char short_name;  /* 'k', or 0 */
    enum cli_kind kind;
    size_t offset;            /* of the field in the command's options struct */
    const char *argument;     /* "HOST:PORT", shown in help; NULL for flags */
    const char *fallback;     /* default as a user would type it; NULL: none (zeroed field) */
    const char *environment;  /* variable for an absent flag, unless it is empty; NULL: none */
    bool environment_negated; /* flags: the variable says the opposite (USE_TLS=false) */
    bool required;
    const char *needs; /* the option without which this one does nothing; NULL: none */
    /* Options that do nothing beside this one, where the command has them; ends with NULL. */
    const char *const *excludes;
    bool inner_only; /* nothing but a command within this one uses it */
    bool secret;     /* reports show the value up to its colon only */
    uint64_t min;    /* CLI_COUNT, CLI_DURATION */
    uint64_t max;    /* 0: no upper limit */
    /* CLI_CHOICE: all there are; CLI_LIST: what completion offers beside files. Ends with NULL. */
    const char *const *choices;
    const char *help; /* one sentence, no full stop */
};

/* A command within a command, such as "compare" of bench. */
struct cli_inner {
    const char *name;        /* the first positional word */
    const char *const *uses; /* options, without dashes; the others are refused; ends with NULL */
};

struct cli_command {
    const char *name;
    const char *summary;                 /* starts with a verb, no full stop */
    const char *description;             /* paragraphs, or NULL */
    const char *examples;                /* "  # comment\n  grpcroute ...\n" lines */
    const char *positional;              /* "COMMAND" in the usage line; NULL: none are allowed */
    const char *const *positional_words; /* that completion offers first; ends with NULL */
    bool positional_files;               /* behind them it offers files */
    const struct cli_inner *inner;       /* ends with an empty one; NULL: there is none */
    const struct cli_option *options;
    size_t option_count;
    size_t struct_bytes; /* size of the options struct */
    /* Of a command that gives a verdict: its struct cli_output_options (cli/common.h). */
    bool gives_verdict;
    size_t outputs_offset;
    /* Runs with the parsed struct and the positional arguments; returns an exit code. */
    int (*run)(const void *options, int argc, char **argv);
};

/* Parses `argv` (without the program and command names) into the zeroed `ret_options`:
 * "--name value", "--name=value", "-n value", "-nvalue", "-n=value"; "--" ends options; the last
 * use of an option counts. Precedence: flag, environment, default. Returns 0, or 1 after one line
 * on standard error that names the option, the value, and what was expected, or a suggestion for an
 * unknown name. When --help or -h was given `*ret_help` is set and nothing else is looked at.
 * `*ret_argv` points into `argv`, which is reordered. */
int cli_parse(const struct cli_command *command, int argc, char **argv, void *ret_options,
              bool *ret_help, int *ret_argc, char ***ret_argv);

/* Prints the help of a command to standard output: usage, examples, description, options with
 * argument, default, range and environment, exit codes. */
void cli_print_help(const struct cli_command *command);

/* One line on standard error: "grpcroute COMMAND: " and the text; for errors that end the command.
 * Bytes outside printable ASCII are escaped, so a value may be passed as it came. `command` may be
 * NULL. */
void cli_error(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The text of the last one, escaped; "" before the first. */
const char *cli_last_error(void);

#endif
