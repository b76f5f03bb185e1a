/* Options that several commands share, so that they are named and explained once. */
#ifndef GRPCROUTE_CLI_COMMON_H
#define GRPCROUTE_CLI_COMMON_H

#include "base/log_words.h"
#include "cli/options.h"

#include <stdio.h>

/* Whether the file `path` (NULL: none) can be written, before hours go into what it is to hold.
 * Returns 0, or 1 after a line on standard error. */
int cli_check_file(const char *command, const char *option, const char *path);

/* Writes the file `path` (NULL: nothing to do; base/outfile.h) with `print`. Returns 0, or 1 after
 * a line on standard error that names the command and the option. */
int cli_write_file(const char *command, const char *option, const char *path,
                   void (*print)(FILE *out, const void *printed), const void *printed);

/* An agent's version: 1 to 64 visible characters, and the end. */
#define CLI_AGENT_VERSION_BYTES 65

/* Whether all characters are visible ASCII, as a header's value may hold them. */
bool cli_is_visible(const char *text, size_t len);

/* The agent versions of `list`, separated by commas and blanks. Returns how many, or 0 after a line
 * on standard error. */
size_t cli_take_versions(const char *command, const char *list, size_t max,
                         char versions[][CLI_AGENT_VERSION_BYTES]);

/* The same for the version of one agent. Returns 0, or 1 after a line on standard error. */
int cli_check_version(const char *command, const char *version);

/* What a check prints. */
enum cli_output { CLI_OUTPUT_TEXT, CLI_OUTPUT_JSON, CLI_OUTPUT_MARKDOWN };

struct cli_output_options {
    unsigned output;       /* enum cli_output */
    const char *json_file; /* NULL: none, as the next two */
    const char *junit_file;
    const char *report_file; /* a page */
};

extern const char *const cli_output_choices[];

/* The seed of an order: as given, or one by chance where 0 was. */
uint64_t cli_seed(uint64_t given);

/* clang-format off */

/* `field` is a struct cli_output_options, too. */
#define CLI_REPORT_OPTION(type, field)                                                             \
    {.name = "report-file", .kind = CLI_RESULT_FILE, .offset = offsetof(type, field.report_file),  \
     .argument = "FILE", .help = "Also write a page with pictures (one HTML file, no network "     \
                                 "needed)"}

#define CLI_SEED_OPTION(type, field)                                                               \
    {.name = "seed", .kind = CLI_COUNT, .offset = offsetof(type, field), .argument = "N",          \
     .fallback = "0", .max = UINT32_MAX,                                                           \
     .help = "Decides the order of streams and connections; 0 for another each time, which is "    \
             "told"}

#define CLI_OUTPUT_OPTIONS(type, field)                                                            \
    {.name = "output", .short_name = 'o', .kind = CLI_CHOICE,                                      \
     .offset = offsetof(type, field.output), .argument = "FORMAT", .fallback = "text",             \
     .choices = cli_output_choices, .help = "How the result is printed"},                          \
    {.name = "json-file", .kind = CLI_RESULT_FILE, .offset = offsetof(type, field.json_file),      \
     .argument = "FILE", .help = "Also write the result as JSON; - is standard output, and then "  \
                                 "text goes to standard error"},                                   \
    {.name = "junit-file", .kind = CLI_RESULT_FILE, .offset = offsetof(type, field.junit_file),    \
     .argument = "FILE", .help = "Also write the result as JUnit XML"}

struct cli_log_options {
    unsigned format; /* enum log_format */
    unsigned level;  /* enum log_level */
    bool timestamps;
};

extern const char *const cli_log_format_choices[];

#define CLI_LOG_OPTIONS(type, field)                                                               \
    {.name = "log-format", .kind = CLI_CHOICE, .offset = offsetof(type, field.format),             \
     .argument = "FORMAT", .fallback = "text", .environment = "GRPCROUTE_LOG_FORMAT",              \
     .choices = cli_log_format_choices, .help = "Log lines as text or as one JSON object each"},   \
    {.name = "log-timestamps", .kind = CLI_FLAG, .offset = offsetof(type, field.timestamps),       \
     .help = "Begin text lines with the time (RFC 3339); JSON always has it"},                     \
    {.name = "log-level", .kind = CLI_CHOICE, .offset = offsetof(type, field.level),               \
     .argument = "LEVEL", .fallback = "info", .environment = "GRPCROUTE_LOG_LEVEL",                \
     .choices = log_level_names, .help = "Least important events to log"}

/* clang-format on */

/* Sets the format and level of the log. */
void cli_log_apply(const struct cli_log_options *options);

#endif
