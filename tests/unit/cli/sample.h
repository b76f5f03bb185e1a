/* A command with an option of every kind. */
#ifndef TESTS_UNIT_CLI_SAMPLE_H
#define TESTS_UNIT_CLI_SAMPLE_H

#include "cli/options.h"

struct sample {
    bool verbose;
    bool plaintext;
    bool skip;
    const char *id;
    const char *file;
    unsigned output;
    uint64_t count;
    uint64_t any;
    uint64_t least;
    uint64_t interval_ns;
    struct text_address target;
    struct text_address listen;
    const char *version;
    struct cli_list endpoints;
    struct cli_list sources;
};

static const char *const sample_sources[] = {"kubectl", "-", NULL};
static const char *const sample_excludes[] = {"target", "not-of-this-command", "plaintext", NULL};
static const char *const sample_outputs[] = {"text", "json", "junit", NULL};

/* clang-format off */
static const struct cli_option sample_options[] = {
    {.name = "verbose", .short_name = 'v', .kind = CLI_FLAG,
     .offset = offsetof(struct sample, verbose), .help = "Say more"},
    {.name = "plaintext", .kind = CLI_FLAG, .offset = offsetof(struct sample, plaintext),
     .environment = "T_USE_TLS", .environment_negated = true, .help = "Use no TLS"},
    {.name = "tls-skip-verify", .short_name = 'k', .kind = CLI_FLAG,
     .offset = offsetof(struct sample, skip), .environment = "T_SKIP",
     .help = "Don't verify [x:y]"},
    {.name = "id", .kind = CLI_STRING, .offset = offsetof(struct sample, id), .argument = "ID",
     .environment = "T_ID", .help = "Name"},
    {.name = "cacert", .kind = CLI_FILE, .offset = offsetof(struct sample, file),
     .argument = "FILE", .help = "Authorities"},
    {.name = "output", .short_name = 'o', .kind = CLI_CHOICE,
     .offset = offsetof(struct sample, output), .argument = "FORMAT", .fallback = "json",
     .choices = sample_outputs, .help = "Format"},
    {.name = "count", .short_name = 'c', .kind = CLI_COUNT,
     .offset = offsetof(struct sample, count), .argument = "N", .fallback = "3",
     .environment = "T_COUNT", .min = 1, .max = 100, .help = "How many"},
    {.name = "any", .kind = CLI_COUNT, .offset = offsetof(struct sample, any), .argument = "N",
     .needs = "id", .help = "Any number"},
    {.name = "least", .kind = CLI_COUNT, .offset = offsetof(struct sample, least),
     .argument = "N", .fallback = "5", .min = 5, .help = "Five or more"},
    {.name = "interval", .kind = CLI_DURATION, .offset = offsetof(struct sample, interval_ns),
     .argument = "DURATION", .fallback = "5s", .min = 100000000, .max = UINT64_C(3600000000000),
     .help = "Time between pings"},
    {.name = "target", .kind = CLI_TARGET, .offset = offsetof(struct sample, target),
     .argument = "HOST:PORT", .fallback = "localhost:8443", .environment = "T_TARGET",
     .help = "Where to"},
    {.name = "listen", .kind = CLI_LISTEN, .offset = offsetof(struct sample, listen),
     .argument = "[HOST]:PORT", .environment = "T_PORT", .help = "Where at"},
    {.name = "version", .kind = CLI_VERSION, .offset = offsetof(struct sample, version),
     .argument = "vX.Y", .environment = "T_VERSION", .required = true, .help = "Version"},
    {.name = "endpoints", .kind = CLI_LIST, .offset = offsetof(struct sample, endpoints),
     .argument = "NAME=HOST:PORT", .help = "Endpoints"},
    {.name = "logs", .kind = CLI_LIST, .offset = offsetof(struct sample, sources),
     .argument = "FILE", .choices = sample_sources,
     .excludes = sample_excludes, .help = "Logs"},
};
/* clang-format on */

static int sample_run(const void *options, int argc, char **argv)
{
    const struct sample *sample = options;
    printf("ran with %s and %d arguments%s%s\n", sample->version, argc, argc > 0 ? ": " : "",
           argc > 0 ? argv[0] : "");
    return argc > 0 ? 1 : 0;
}

static const struct cli_command sample_command = {
    .name = "sample",
    .summary = "Try the options",
    .description = "A longer text.",
    .examples = "  # Try it\n  grpcroute sample --version v1\n",
    .positional = "[WORD]",
    .options = sample_options,
    .option_count = sizeof(sample_options) / sizeof(sample_options[0]),
    .struct_bytes = sizeof(struct sample),
    .run = sample_run,
};

#endif
