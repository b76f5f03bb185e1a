/* Options that several commands share, so that they are named and explained once. */
#ifndef GRPCROUTE_CLI_COMMON_H
#define GRPCROUTE_CLI_COMMON_H

#include "cli/options.h"

#include <stdio.h>

/* clang-format off */

/* Where to connect to, and how to trust it. */
struct cli_connect_options {
    struct text_address target;
    const char *cacert;    /* NULL: the system's authorities */
    const char *authority; /* NULL: the target's host and port */
    bool tls_skip_verify;
    bool plaintext;
};

/* The entries for the field `field` of `type`, a struct cli_connect_options. */
#define CLI_CONNECT_OPTIONS(type, field)                                                           \
    {.name = "target", .kind = CLI_TARGET, .offset = offsetof(type, field.target),                 \
     .argument = "HOST:PORT", .fallback = "localhost:8443", .environment = "SERVER_ADDRESS",       \
     .help = "Server or proxy to connect to"},                                                     \
    {.name = "cacert", .kind = CLI_FILE, .offset = offsetof(type, field.cacert),                   \
     .argument = "FILE", .environment = "GRPCROUTE_CACERT",                                        \
     .help = "Authorities (PEM) that may have signed the server's certificate, instead of the "    \
             "system's"},                                                                          \
    {.name = "authority", .kind = CLI_STRING, .offset = offsetof(type, field.authority),           \
     .argument = "NAME",                                                                           \
     .help = "Name sent as :authority and checked in the certificate, instead of the target's"},   \
    {.name = "tls-skip-verify", .short_name = 'k', .kind = CLI_FLAG,                               \
     .offset = offsetof(type, field.tls_skip_verify),                                              \
     .help = "Use TLS without verifying the certificate"},                                         \
    {.name = "plaintext", .kind = CLI_FLAG, .offset = offsetof(type, field.plaintext),             \
     .environment = "USE_TLS", .environment_negated = true, .help = "Use no TLS (h2c)"}

/* Whether the file `path` (NULL: none) can be written, before hours go into what it is to hold: creates it. Returns 0, or 1
 * after a line on standard error. */
int cli_check_file(const char *command, const char *option, const char *path);

/* Writes the file `path` (NULL: nothing to do) with `print`. Returns 0, or 1 after a line on standard error that names the
 * command and the option. */
int cli_write_file(const char *command, const char *option, const char *path,
                   void (*print)(FILE *out, const void *printed), const void *printed);

/* The agent versions of `list`, separated by commas. Returns how many, or 0 after a line on standard error. */
size_t cli_take_versions(const char *command, const char *list, size_t max, char versions[][TEXT_VERSION_BYTES]);

/* What a check prints. */
enum cli_output { CLI_OUTPUT_TEXT, CLI_OUTPUT_JSON };

struct cli_output_options {
    unsigned output;        /* enum cli_output */
    const char *junit_file; /* NULL: none */
};

extern const char *const cli_output_choices[];

#define CLI_OUTPUT_OPTIONS(type, field)                                                            \
    {.name = "output", .short_name = 'o', .kind = CLI_CHOICE,                                      \
     .offset = offsetof(type, field.output), .argument = "FORMAT", .fallback = "text",             \
     .choices = cli_output_choices, .help = "How the result is printed"},                          \
    {.name = "junit-file", .kind = CLI_FILE, .offset = offsetof(type, field.junit_file),           \
     .argument = "FILE", .help = "Also write the result as JUnit XML"}

struct cli_log_options {
    unsigned format; /* enum log_format */
    unsigned level;  /* enum log_level */
};

extern const char *const cli_log_format_choices[];
extern const char *const cli_log_level_choices[];

#define CLI_LOG_OPTIONS(type, field)                                                               \
    {.name = "log-format", .kind = CLI_CHOICE, .offset = offsetof(type, field.format),             \
     .argument = "FORMAT", .fallback = "text", .environment = "GRPCROUTE_LOG_FORMAT",              \
     .choices = cli_log_format_choices, .help = "Log lines as text or as one JSON object each"},   \
    {.name = "log-level", .kind = CLI_CHOICE, .offset = offsetof(type, field.level),               \
     .argument = "LEVEL", .fallback = "info", .environment = "GRPCROUTE_LOG_LEVEL",                \
     .choices = cli_log_level_choices, .help = "Least important events to log"}

/* clang-format on */

/* A value of --endpoints, "NAME=HOST:PORT[,HOST:PORT...]": at most `max` addresses into `ret`,
 * their number into `ret_count`; the name is the first `ret_name_len` bytes of `text`. Returns 0,
 * or 1 after one line on standard error. */
int cli_parse_endpoints(const char *command, const char *text, size_t max, struct text_address *ret,
                        size_t *ret_count, size_t *ret_name_len);
/* The line for a name that nothing has. Returns 1. */
int cli_unknown_endpoints(const char *command, const char *text);

/* Refuses what contradicts itself (an authority file without TLS or without verification), so that
 * nobody believes in a check that is not made. Returns 0, or 1 after one line on standard error. */
int cli_connect_check(const char *command, const struct cli_connect_options *options);

/* Sets the format and level of the log. */
void cli_log_apply(const struct cli_log_options *options);

#endif
