/* Parsing by the option table. */
#include "cli/options.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SHOWN_BYTES 120
#define REASON_BYTES 256
/* Names further away than this are not worth suggesting. */
#define SUGGESTION_DISTANCE 3
#define TARGET_PORT_DEFAULT 8443

void cli_error(const char *command, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    char shown[2 * sizeof(text)];
    text_escape(shown, sizeof(shown), text, strlen(text));
    fprintf(stderr, "grpcroute%s%s: %s\n", command != NULL ? " " : "",
            command != NULL ? command : "", shown);
}

/* ---- values ---------------------------------------------------------------------------------- */

static void *field_of(const struct cli_option *option, void *options)
{
    return (char *)options + option->offset;
}

static int set_choice(const struct cli_option *option, const char *text, unsigned *field,
                      char reason[static REASON_BYTES])
{
    char expected[REASON_BYTES] = "";
    for (unsigned i = 0; option->choices[i] != NULL; i++) {
        if (strcmp(text, option->choices[i]) == 0) {
            *field = i;
            return 0;
        }
        size_t len = strlen(expected);
        snprintf(expected + len, sizeof(expected) - len, "%s%s", i > 0 ? ", " : "",
                 option->choices[i]);
    }
    snprintf(reason, REASON_BYTES, "expected one of %s", expected);
    return 1;
}

static int set_duration(const struct cli_option *option, const char *text, uint64_t *field,
                        const char **reason, char buffer[static REASON_BYTES])
{
    uint64_t value;
    if (text_parse_duration(text, &value, reason) != 0) {
        return 1;
    }
    if (value < option->min || (option->max != 0 && value > option->max)) {
        char low[32];
        char high[32];
        snprintf(buffer, REASON_BYTES, "expected a duration from %s to %s",
                 text_format_duration(low, sizeof(low), option->min),
                 text_format_duration(high, sizeof(high), option->max));
        *reason = buffer;
        return 1;
    }
    *field = value;
    return 0;
}

/* "8443" is short for ":8443". */
static int set_listen(const char *text, struct text_address *field, const char **reason)
{
    char with_colon[16];
    if (text[0] != '\0' && strspn(text, "0123456789") == strlen(text)) {
        snprintf(with_colon, sizeof(with_colon), ":%s", text);
        return text_parse_address(with_colon, 0, field, reason);
    }
    return text_parse_address(text, 0, field, reason);
}

static int set_target(const char *text, struct text_address *field, const char **reason)
{
    struct text_address address;
    if (text_parse_address(text, TARGET_PORT_DEFAULT, &address, reason) != 0) {
        return 1;
    }
    if (address.host[0] == '\0') {
        *reason = "the host is missing; expected HOST:PORT";
        return 1;
    }
    *field = address;
    return 0;
}

static int set_version(const char *text, const char **field, const char **reason)
{
    struct text_version version;
    if (text_parse_version(text, &version, reason) != 0) {
        return 1;
    }
    *field = text;
    return 0;
}

static int add_to_list(const char *text, struct cli_list *list, const char **reason)
{
    if (list->count == CLI_LIST_MAX) {
        *reason = "given too often";
        return 1;
    }
    list->values[list->count++] = text;
    return 0;
}

static int set_flag(const char *text, bool negated, bool *field, const char **reason)
{
    static const char *const yes[] = {"1", "true", "yes", "on"};
    static const char *const no[] = {"0", "false", "no", "off"};
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
            *field = (strcasecmp(text, yes[i]) == 0) != negated;
            return 0;
        }
    }
    *reason = "expected true or false";
    return 1;
}

/* Sets the field from text. Returns 0, or 1 with a reason (static or in `buffer`). */
static int set_value(const struct cli_option *option, const char *text, void *options,
                     const char **reason, char buffer[static REASON_BYTES])
{
    void *field = field_of(option, options);
    switch (option->kind) {
    case CLI_FLAG:
        return set_flag(text, option->environment_negated, field, reason);
    case CLI_STRING:
    case CLI_FILE:
        if (text[0] == '\0') {
            *reason = "it is empty";
            return 1;
        }
        *(const char **)field = text;
        return 0;
    case CLI_CHOICE:
        *reason = buffer;
        return set_choice(option, text, field, buffer);
    case CLI_COUNT:
        return text_parse_u64(text, option->min, option->max != 0 ? option->max : UINT64_MAX, field,
                              reason);
    case CLI_DURATION:
        return set_duration(option, text, field, reason, buffer);
    case CLI_TARGET:
        return set_target(text, field, reason);
    case CLI_LISTEN:
        return set_listen(text, field, reason);
    case CLI_VERSION:
        return set_version(text, field, reason);
    case CLI_LIST:
        return add_to_list(text, field, reason);
    }
    return 1;
}

/* Sets or complains; `shown_as` is how the user wrote it ("--interval", "AGENT_ID"). */
static int set_or_complain(const struct cli_command *command, const struct cli_option *option,
                           const char *shown_as, const char *text, void *options)
{
    char buffer[REASON_BYTES];
    const char *reason = "";
    if (set_value(option, text, options, &reason, buffer) == 0) {
        return 0;
    }
    char shown[SHOWN_BYTES];
    text_escape(shown, sizeof(shown), text, strlen(text));
    char range[80] = "";
    if (option->kind == CLI_COUNT && option->max != 0) {
        snprintf(range, sizeof(range), " (%llu to %llu)", (unsigned long long)option->min,
                 (unsigned long long)option->max);
    }
    cli_error(command->name, "%s: \"%s\": %s%s", shown_as, shown, reason, range);
    return 1;
}

/* ---- names ----------------------------------------------------------------------------------- */

static const struct cli_option *find_long(const struct cli_command *command, const char *name,
                                          size_t len)
{
    for (size_t i = 0; i < command->option_count; i++) {
        const char *known = command->options[i].name;
        if (strlen(known) == len && memcmp(known, name, len) == 0) {
            return &command->options[i];
        }
    }
    return NULL;
}

static const struct cli_option *find_short(const struct cli_command *command, char name)
{
    for (size_t i = 0; i < command->option_count; i++) {
        if (command->options[i].short_name == name) {
            return &command->options[i];
        }
    }
    return NULL;
}

static const char *nearest(const struct cli_command *command, const char *name)
{
    const char *best = NULL;
    size_t best_distance = SUGGESTION_DISTANCE + 1;
    for (size_t i = 0; i < command->option_count; i++) {
        size_t distance = text_distance(name, command->options[i].name);
        if (distance < best_distance) {
            best_distance = distance;
            best = command->options[i].name;
        }
    }
    return best;
}

static int complain_unknown(const struct cli_command *command, const char *argument)
{
    char name[SHOWN_BYTES];
    snprintf(name, sizeof(name), "%s", argument + strspn(argument, "-"));
    name[strcspn(name, "=")] = '\0';
    if (strcmp(name, "insecure") == 0 && find_long(command, "plaintext", 9) != NULL) {
        cli_error(command->name, "unknown option --insecure: --plaintext uses no TLS, "
                                 "--tls-skip-verify (-k) uses TLS without checking the certificate");
        return 1;
    }
    const char *suggestion = nearest(command, name);
    cli_error(command->name, "unknown option %.100s%s%s%s; see grpcroute %s --help", argument,
              suggestion != NULL ? "; did you mean --" : "", suggestion != NULL ? suggestion : "",
              suggestion != NULL ? "?" : "", command->name);
    return 1;
}

/* ---- arguments ------------------------------------------------------------------------------- */

struct parse {
    const struct cli_command *command;
    int argc;
    char **argv;
    int at;
    void *options;
    bool *given; /* per option */
    int positional_count;
};

static int take_option(struct parse *parse, const struct cli_option *option, const char *shown_as,
                       const char *attached)
{
    parse->given[option - parse->command->options] = true;
    if (option->kind == CLI_FLAG) {
        if (attached != NULL) {
            cli_error(parse->command->name, "%s takes no value", shown_as);
            return 1;
        }
        *(bool *)field_of(option, parse->options) = true;
        return 0;
    }
    if (attached == NULL) {
        if (parse->at == parse->argc) {
            cli_error(parse->command->name, "%s needs a value (%s)", shown_as, option->argument);
            return 1;
        }
        attached = parse->argv[parse->at++];
    }
    return set_or_complain(parse->command, option, shown_as, attached, parse->options);
}

static int take_long(struct parse *parse, const char *argument)
{
    const char *name = argument + 2;
    size_t len = strcspn(name, "=");
    const struct cli_option *option = find_long(parse->command, name, len);
    if (option == NULL) {
        return complain_unknown(parse->command, argument);
    }
    char shown_as[64];
    snprintf(shown_as, sizeof(shown_as), "--%s", option->name);
    return take_option(parse, option, shown_as, name[len] == '=' ? name + len + 1 : NULL);
}

static int take_short(struct parse *parse, const char *argument)
{
    const struct cli_option *option = find_short(parse->command, argument[1]);
    if (option == NULL) {
        return complain_unknown(parse->command, argument);
    }
    const char shown_as[] = {'-', argument[1], '\0'};
    return take_option(parse, option, shown_as, argument[2] != '\0' ? argument + 2 : NULL);
}

static int take_positional(struct parse *parse, char *argument)
{
    if (parse->command->positional == NULL) {
        cli_error(parse->command->name, "unexpected argument \"%.100s\"; see grpcroute %s --help",
                  argument, parse->command->name);
        return 1;
    }
    parse->argv[parse->positional_count++] = argument; /* at or before the place it came from */
    return 0;
}

static int take_arguments(struct parse *parse, bool *ret_help)
{
    bool options_ended = false;
    while (parse->at < parse->argc) {
        char *argument = parse->argv[parse->at++];
        int rv = 0;
        if (options_ended || argument[0] != '-' || argument[1] == '\0') {
            rv = take_positional(parse, argument);
        } else if (strcmp(argument, "--") == 0) {
            options_ended = true;
        } else if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
            *ret_help = true;
            return 0;
        } else {
            rv = argument[1] == '-' ? take_long(parse, argument) : take_short(parse, argument);
        }
        if (rv != 0) {
            return rv;
        }
    }
    return 0;
}

/* Options that were not given take their environment variable, else their default. */
static int fill_in(struct parse *parse)
{
    for (size_t i = 0; i < parse->command->option_count; i++) {
        const struct cli_option *option = &parse->command->options[i];
        const char *value = option->environment != NULL ? getenv(option->environment) : NULL;
        const char *shown_as = option->environment;
        if (parse->given[i]) {
            continue;
        }
        if (value == NULL || value[0] == '\0') {
            value = option->fallback;
            shown_as = option->name;
        }
        if (value == NULL && option->required) {
            cli_error(parse->command->name, "--%s %s is required%s%s", option->name,
                      option->argument, option->environment != NULL ? ", or set " : "",
                      option->environment != NULL ? option->environment : "");
            return 1;
        }
        if (value != NULL &&
            set_or_complain(parse->command, option, shown_as, value, parse->options) != 0) {
            return 1;
        }
    }
    return 0;
}

int cli_parse(const struct cli_command *command, int argc, char **argv, void *ret_options,
              bool *ret_help, int *ret_argc, char ***ret_argv)
{
    struct parse parse = {
        .command = command,
        .argc = argc,
        .argv = argv,
        .options = ret_options,
        .given = mem_calloc(command->option_count + 1, sizeof(bool)),
    };
    *ret_help = false;
    int rv = take_arguments(&parse, ret_help);
    if (rv == 0 && !*ret_help) {
        rv = fill_in(&parse);
    }
    free(parse.given);
    *ret_argc = parse.positional_count;
    *ret_argv = argv;
    return rv;
}
