/* Options that several commands share, so that they are spelled and explained once. */
#ifndef GRPCROUTE_CLI_COMMON_H
#define GRPCROUTE_CLI_COMMON_H

#include "cli/options.h"

/* ---- logging: agent, server, proxy ----------------------------------------------------------- */

struct cli_log_options {
    unsigned format; /* enum log_format */
    unsigned level;  /* enum log_level */
};

extern const char *const cli_log_formats[];
extern const char *const cli_log_levels[];

/* clang-format off */
#define CLI_LOG_OPTIONS(type, member)                                                              \
    {.name = "log-format", .kind = CLI_CHOICE, .offset = offsetof(type, member.format),            \
     .argument = "FORMAT", .fallback = "text", .environment = "GRPCROUTE_LOG_FORMAT",              \
     .choices = cli_log_formats, .help = "Log lines for people, or one JSON object per line"},     \
    {.name = "log-level", .kind = CLI_CHOICE, .offset = offsetof(type, member.level),              \
     .argument = "LEVEL", .fallback = "info", .environment = "GRPCROUTE_LOG_LEVEL",                \
     .choices = cli_log_levels, .help = "Least severity that is logged"}

/* Applies the choices to the process. */
void cli_log_apply(const struct cli_log_options *options);

/* ---- connecting: agent, verify, sticky-test ---------------------------------------------------- */

struct cli_connect_options {
    struct text_address target;
    const char *cacert;
    const char *authority;
    bool tls_skip_verify;
    bool plaintext;
};

#define CLI_CONNECT_OPTIONS(type, member)                                                          \
    {.name = "target", .kind = CLI_TARGET, .offset = offsetof(type, member.target),                \
     .argument = "HOST:PORT", .fallback = "localhost:8443", .environment = "SERVER_ADDRESS",       \
     .help = "The proxy (or server) to connect to"},                                               \
    {.name = "cacert", .kind = CLI_FILE, .offset = offsetof(type, member.cacert),                  \
     .argument = "FILE", .environment = "GRPCROUTE_CACERT",                                        \
     .help = "CA certificates (PEM) to trust, instead of SSL_CERT_FILE or the system's"},          \
    {.name = "tls-skip-verify", .short_name = 'k', .kind = CLI_FLAG,                               \
     .offset = offsetof(type, member.tls_skip_verify),                                             \
     .help = "Use TLS, but accept any certificate"},                                               \
    {.name = "plaintext", .kind = CLI_FLAG, .offset = offsetof(type, member.plaintext),            \
     .environment = "USE_TLS", .environment_negated = true, .help = "Use no TLS (h2c)"},           \
    {.name = "authority", .kind = CLI_STRING, .offset = offsetof(type, member.authority),          \
     .argument = "NAME", .help = "Name to ask for, and that the certificate must carry"}
/* clang-format on */

/* ---- results: verify, sticky-test -------------------------------------------------------------- */

enum cli_output { CLI_OUTPUT_TEXT, CLI_OUTPUT_JSON };

struct cli_output_options {
    unsigned output; /* enum cli_output */
    const char *junit_file;
};

extern const char *const cli_outputs[];

/* clang-format off */
#define CLI_OUTPUT_OPTIONS(type, member)                                                           \
    {.name = "output", .short_name = 'o', .kind = CLI_CHOICE,                                      \
     .offset = offsetof(type, member.output), .argument = "FORMAT", .fallback = "text",            \
     .choices = cli_outputs, .help = "Result for people or for programs"},                         \
    {.name = "junit-file", .kind = CLI_FILE, .offset = offsetof(type, member.junit_file),          \
     .argument = "FILE", .help = "Also write the result as JUnit XML"}
/* clang-format on */

#endif
