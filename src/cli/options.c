/* Walks the command line once, then fills what is left from the environment and the defaults. */
#include "cli/options.h"

#include "cli/called.h"
#include "cli/suggest.h"
#include "cli/value.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX_BYTES 80 /* of a value in an error line */

struct parser {
    const struct cli_command *command;
    void *options;
    char **argv;
    int argc;
    int at;               /* the argument being looked at */
    int positional_count; /* they are collected at the front of argv */
    bool given[CLI_OPTIONS_MAX];
};

static bool is_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

static bool help_is_wanted(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (is_help(argv[i])) {
            return true;
        }
    }
    return false;
}

static const struct cli_option *find_long(const struct cli_command *command, const char *name,
                                          size_t len)
{
    for (size_t i = 0; i < command->option_count; i++) {
        const struct cli_option *option = &command->options[i];
        if (strlen(option->name) == len && memcmp(option->name, name, len) == 0) {
            return option;
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

/* People carry "--insecure" over from other tools, where it means one of two different things. */
static bool complain_insecure(const struct cli_command *command, const char *name)
{
    if (strcmp(name, "insecure") != 0 || find_long(command, "tls-skip-verify", 15) == NULL) {
        return false;
    }
    cli_error(command->name, "unknown option --insecure: --plaintext means no TLS, "
                             "--tls-skip-verify (-k) means TLS without verification");
    return true;
}

/* `name` is `len` bytes, shown behind `dashes`. */
static int complain_unknown(const struct cli_command *command, const char *dashes, const char *name,
                            size_t len)
{
    char typed[SHOWN_MAX_BYTES];
    text_escape(typed, sizeof(typed), name, len);
    if (complain_insecure(command, typed)) {
        return 1;
    }
    struct cli_suggestion suggestion = {.typed = typed};
    for (size_t i = 0; i < command->option_count; i++) {
        cli_suggest(&suggestion, command->options[i].name);
    }
    if (suggestion.best != NULL) {
        cli_error(command->name, "unknown option %s%s; did you mean --%s?", dashes, typed,
                  suggestion.best);
    } else {
        cli_error(command->name, "unknown option %s%s; see %s %s --help", dashes, typed,
                  cli_called(), command->name);
    }
    return 1;
}

static int complain_missing(const struct cli_command *command, const struct cli_option *option)
{
    cli_error(command->name, "--%s: needs a value: --%s %s", option->name, option->name,
              option->argument != NULL ? option->argument : "VALUE");
    return 1;
}

/* Sets the value of an option that came from the command line (`environment` false) or its
 * variable. */
static int set_value(struct parser *parser, const struct cli_option *option, const char *text,
                     bool environment)
{
    char expected[CLI_EXPECTED_BYTES];
    if (cli_value_set(option, text, parser->options, expected) == 0) {
        return 0;
    }
    char shown[SHOWN_MAX_BYTES];
    text_escape(shown, sizeof(shown), text, strlen(text));
    if (environment) {
        cli_error(parser->command->name, "--%s: \"%s\" from %s is not valid, expected %s",
                  option->name, shown, option->environment, expected);
    } else {
        cli_error(parser->command->name, "--%s: \"%s\" is not valid, expected %s", option->name,
                  shown, expected);
    }
    return 1;
}

static int set_given(struct parser *parser, const struct cli_option *option, const char *text)
{
    parser->given[option - parser->command->options] = true;
    return set_value(parser, option, text, false);
}

/* No option begins with a digit: "-1s" is a value, and a wrong one. */
static bool is_negative_number(const struct cli_option *option, const char *text)
{
    bool numeric =
        option->kind == CLI_COUNT || option->kind == CLI_DURATION || option->kind == CLI_SIZE;
    return numeric && text[1] >= '0' && text[1] <= '9';
}

/* The value is the next argument. One that looks like an option is more likely a forgotten value;
 * "--name=-x" says that it is meant. */
static int set_from_next(struct parser *parser, const struct cli_option *option)
{
    if (parser->at + 1 >= parser->argc) {
        return complain_missing(parser->command, option);
    }
    const char *next = parser->argv[parser->at + 1];
    if (next[0] == '-' && next[1] != '\0' && !is_negative_number(option, next)) {
        return complain_missing(parser->command, option);
    }
    parser->at++;
    return set_given(parser, option, next);
}

static int parse_long(struct parser *parser, const char *name)
{
    size_t len = strcspn(name, "=");
    const struct cli_option *option = find_long(parser->command, name, len);
    if (option == NULL) {
        return complain_unknown(parser->command, "--", name, len);
    }
    if (name[len] == '=') {
        return set_given(parser, option, name + len + 1);
    }
    if (option->kind == CLI_FLAG) {
        return set_given(parser, option, "true");
    }
    return set_from_next(parser, option);
}

/* "-k", "-c 5", "-c5", "-c=5", and flags together with what follows: "-kc5". */
static int parse_short(struct parser *parser, const char *names)
{
    for (const char *name = names; *name != '\0'; name++) {
        const struct cli_option *option = find_short(parser->command, *name);
        if (option == NULL) { /* "-target" of a Go program is shown whole: the suggestion fits it */
            return complain_unknown(parser->command, "-", names, strcspn(names, "="));
        }
        if (option->kind != CLI_FLAG) {
            if (name[1] == '\0') {
                return set_from_next(parser, option);
            }
            return set_given(parser, option, name[1] == '=' ? name + 2 : name + 1);
        }
        if (set_given(parser, option, "true") != 0) {
            return 1;
        }
    }
    return 0;
}

static int take_positional(struct parser *parser, char *argument)
{
    if (parser->command->positional == NULL) {
        char shown[SHOWN_MAX_BYTES];
        text_escape(shown, sizeof(shown), argument, strlen(argument));
        cli_error(parser->command->name, "unexpected argument \"%s\"; see %s %s --help", shown,
                  cli_called(), parser->command->name);
        return 1;
    }
    parser->argv[parser->positional_count++] = argument;
    return 0;
}

static int parse_arguments(struct parser *parser)
{
    bool options_ended = false;
    for (; parser->at < parser->argc; parser->at++) {
        char *argument = parser->argv[parser->at];
        int outcome = 0;
        if (options_ended || argument[0] != '-' || argument[1] == '\0') {
            outcome = take_positional(parser, argument);
        } else if (strcmp(argument, "--") == 0) {
            options_ended = true;
        } else if (argument[1] == '-') {
            outcome = parse_long(parser, argument + 2);
        } else {
            outcome = parse_short(parser, argument + 1);
        }
        if (outcome != 0) {
            return 1;
        }
    }
    return 0;
}

static int set_from_environment(struct parser *parser, const struct cli_option *option,
                                const char *text)
{
    if (set_value(parser, option, text, true) != 0) {
        return 1;
    }
    if (option->environment_negated) {
        bool *flag = (bool *)((char *)parser->options + option->offset);
        *flag = !*flag;
    }
    return 0;
}

/* On the command line; --flag=false asks for nothing. */
static bool is_asked_for(const struct parser *parser, const struct cli_option *option)
{
    const bool *flag = (const bool *)((const char *)parser->options + option->offset);
    return parser->given[option - parser->command->options] && (option->kind != CLI_FLAG || *flag);
}

/* Whether `name` is one of `names`, which end with NULL; NULL: there are none. */
static bool is_among(const char *name, const char *const *names)
{
    while (names != NULL && *names != NULL && strcmp(*names, name) != 0) {
        names++;
    }
    return names != NULL && *names != NULL;
}

/* Whether an option of the command line excludes this one. */
static bool is_excluded(const struct parser *parser, const struct cli_option *option)
{
    for (size_t i = 0; i < parser->command->option_count; i++) {
        const struct cli_option *other = &parser->command->options[i];
        if (is_asked_for(parser, other) && is_among(option->name, other->excludes)) {
            return true;
        }
    }
    return false;
}

/* Fills an option that was not given. The environment, which is for all commands of a machine, does
 * not say what the command line excludes. */
static int set_absent(struct parser *parser, const struct cli_option *option)
{
    const char *text = option->environment != NULL ? getenv(option->environment) : NULL;
    if (text != NULL && text[0] != '\0' && !is_excluded(parser, option)) {
        return set_from_environment(parser, option, text);
    }
    if (option->fallback != NULL) {
        return set_value(parser, option, option->fallback, false);
    }
    if (!option->required) {
        return 0;
    }
    if (option->environment != NULL) {
        cli_error(parser->command->name, "--%s %s is required (or %s in the environment)",
                  option->name, option->argument, option->environment);
    } else {
        cli_error(parser->command->name, "--%s %s is required", option->name, option->argument);
    }
    return 1;
}

static bool is_set(const struct parser *parser, const struct cli_option *option)
{
    const char *text = option->environment != NULL ? getenv(option->environment) : NULL;
    return is_asked_for(parser, option) || (text != NULL && text[0] != '\0');
}

/* Who gives an option counts on what it does. */
static int check_needs(struct parser *parser, const struct cli_option *option)
{
    if (option->needs == NULL || !is_asked_for(parser, option)) {
        return 0;
    }
    const struct cli_option *needed =
        find_long(parser->command, option->needs, strlen(option->needs));
    assert(needed != NULL);
    if (is_set(parser, needed)) {
        return 0;
    }
    cli_error(parser->command->name, "--%s: needs --%s", option->name, needed->name);
    return 1;
}

static int check_excludes(struct parser *parser, const struct cli_option *option)
{
    const char *const *name = option->excludes;
    if (name == NULL || !is_asked_for(parser, option)) {
        return 0;
    }
    for (; *name != NULL; name++) {
        const struct cli_option *other = find_long(parser->command, *name, strlen(*name));
        if (other != NULL && is_asked_for(parser, other)) {
            cli_error(parser->command->name, "--%s does not go with --%s", other->name,
                      option->name);
            return 1;
        }
    }
    return 0;
}

/* The command within that the first word names, or NULL. */
static const struct cli_inner *find_inner(const struct parser *parser)
{
    const struct cli_inner *inner = parser->command->inner;
    while (inner->name != NULL && strcmp(inner->name, parser->argv[0]) != 0) {
        inner++;
    }
    return inner->name != NULL ? inner : NULL;
}

static int complain_unused(const struct parser *parser, const struct cli_option *option,
                           const struct cli_inner *inner)
{
    char taken[512] = "";
    size_t len = 0;
    for (const char *const *name = inner->uses; *name != NULL && len < sizeof(taken); name++) {
        len += (size_t)snprintf(taken + len, sizeof(taken) - len, "%s--%s", len > 0 ? ", " : "",
                                *name);
    }
    cli_error(parser->command->name, "--%s does not go with %s, which takes %s", option->name,
              inner->name, taken);
    return 1;
}

static int complain_inner_only(const struct parser *parser, const struct cli_option *option)
{
    const struct cli_command *command = parser->command;
    const struct cli_inner *inner = command->inner;
    while (!is_among(option->name, inner->uses)) {
        inner++; /* one of them does */
    }
    cli_error(command->name, "--%s goes with %s %s only; leave it out", option->name, command->name,
              inner->name);
    return 1;
}

/* A word that names no command within is told by the command. */
static int check_inner(struct parser *parser, const struct cli_option *option)
{
    if (parser->command->inner == NULL || !is_asked_for(parser, option)) {
        return 0;
    }
    if (parser->positional_count == 0) {
        return option->inner_only ? complain_inner_only(parser, option) : 0;
    }
    const struct cli_inner *inner = find_inner(parser);
    bool unused = inner != NULL && !is_among(option->name, inner->uses);
    return unused ? complain_unused(parser, option, inner) : 0;
}

int cli_parse(const struct cli_command *command, int argc, char **argv, void *ret_options,
              bool *ret_help, int *ret_argc, char ***ret_argv)
{
    struct parser parser = {.command = command, .options = ret_options, .argv = argv, .argc = argc};
    assert(command->option_count <= CLI_OPTIONS_MAX);
    *ret_help = help_is_wanted(argc, argv);
    if (*ret_help) {
        return 0;
    }
    if (parse_arguments(&parser) != 0) {
        return 1;
    }
    for (size_t i = 0; i < command->option_count; i++) {
        if (!parser.given[i] && set_absent(&parser, &command->options[i]) != 0) {
            return 1;
        }
        if (check_needs(&parser, &command->options[i]) != 0 ||
            check_excludes(&parser, &command->options[i]) != 0 ||
            check_inner(&parser, &command->options[i]) != 0) {
            return 1;
        }
    }
    *ret_argc = parser.positional_count;
    *ret_argv = argv;
    return 0;
}
