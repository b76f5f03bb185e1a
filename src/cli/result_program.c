#include "cli/result_program.h"

#include "base/file.h"
#include "base/outfile.h"
#include "cli/exit.h"
#include "cli/invocation.h"
#include "cli/junit.h"
#include "cli/result.h"

#include <string.h>
#include <sys/stat.h>

static const void *field_of(const struct cli_option *option, const void *options)
{
    return (const char *)options + option->offset;
}

/* NULL: not a result file, or not given. */
static const char *path_of(const struct cli_option *option, const void *options)
{
    return option->kind == CLI_RESULT_FILE ? *(const char *const *)field_of(option, options) : NULL;
}

static const struct cli_output_options *outputs_of(const struct cli_command *command,
                                                   const void *options)
{
    return (const void *)((const char *)options + command->outputs_offset);
}

/* ---- before ---------------------------------------------------------------------------------- */

static int check_one_output(const struct cli_command *command, const void *options)
{
    unsigned outputs =
        command->gives_verdict && outputs_of(command, options)->output != CLI_OUTPUT_TEXT;
    for (size_t i = 0; i < command->option_count; i++) {
        const char *path = path_of(&command->options[i], options);
        outputs += path != NULL && strcmp(path, "-") == 0;
    }
    if (outputs > 1) {
        cli_error(command->name, "standard output can be only one of --output json or markdown and "
                                 "the files named -");
    }
    return outputs > 1;
}

/* Whether one file would be written over the other; a device takes both. */
static bool is_same_file(const char *path, const char *other)
{
    struct stat file;
    struct stat other_file;
    bool there = stat(path, &file) == 0;
    if (strcmp(path, "-") == 0 || (there && S_ISCHR(file.st_mode))) {
        return false; /* standard output: check_one_output() */
    }
    return strcmp(path, other) == 0 ||
           (there && stat(other, &other_file) == 0 && file_is_same(&file, &other_file));
}

/* The option behind `first` that names the same file, or NULL. */
static const struct cli_option *find_twin(const struct cli_command *command, const void *options,
                                          size_t first)
{
    const char *path = path_of(&command->options[first], options);
    for (size_t i = first + 1; path != NULL && i < command->option_count; i++) {
        const char *other = path_of(&command->options[i], options);
        if (other != NULL && is_same_file(path, other)) {
            return &command->options[i];
        }
    }
    return NULL;
}

/* Before old files go: two names of one are not seen afterwards. */
static int check_twins(const struct cli_command *command, const void *options)
{
    for (size_t i = 0; i < command->option_count; i++) {
        const struct cli_option *twin = find_twin(command, options, i);
        if (twin != NULL) {
            cli_error(command->name, "--%s and --%s are the same file, %s; give each its own",
                      command->options[i].name, twin->name, path_of(twin, options));
            return 1;
        }
    }
    return 0;
}

/* Whether the option's value, or one of them, is that file. */
static bool reads(const struct cli_option *option, const void *options, const char *path)
{
    if (option->kind == CLI_FILE) {
        const char *value = *(const char *const *)field_of(option, options);
        return value != NULL && is_same_file(path, value);
    }
    const struct cli_list *list = field_of(option, options);
    for (size_t i = 0; option->kind == CLI_LIST && i < list->count; i++) {
        if (is_same_file(path, list->values[i])) {
            return true;
        }
    }
    return false;
}

/* What the command is to read cannot be where its result goes. */
static int check_read(const struct cli_command *command, const void *options,
                      const struct cli_option *result, int argc, char **argv)
{
    const char *path = path_of(result, options);
    for (size_t i = 0; path != NULL && i < command->option_count; i++) {
        if (reads(&command->options[i], options, path)) {
            cli_error(command->name, "--%s: %s is what --%s reads; give the result its own file",
                      result->name, path, command->options[i].name);
            return 1;
        }
    }
    for (int i = 0; path != NULL && i < argc; i++) {
        if (is_same_file(path, argv[i])) {
            cli_error(command->name, "--%s: %s is to be read, too; give the result its own file",
                      result->name, path);
            return 1;
        }
    }
    return 0;
}

static int check_all_read(const struct cli_command *command, const void *options, int argc,
                          char **argv)
{
    for (size_t i = 0; i < command->option_count; i++) {
        if (check_read(command, options, &command->options[i], argc, argv) != 0) {
            return 1;
        }
    }
    return 0;
}

static int check_file(const struct cli_command *command, const struct cli_option *option,
                      const char *path)
{
    char name[64];
    snprintf(name, sizeof(name), "--%s", option->name);
    return cli_check_file(command->name, name, path);
}

static int discard_file(const struct cli_command *command, const struct cli_option *option,
                        const char *path)
{
    int rv = path != NULL ? outfile_discard(path) : 0;
    if (rv != 0) {
        cli_error(command->name, "--%s: %s: %s", option->name, path, strerror(-rv));
    }
    return rv != 0;
}

int cli_result_prepare(const struct cli_command *command, const void *options, int argc,
                       char **argv)
{
    int (*const steps[])(const struct cli_command *, const struct cli_option *,
                         const char *) = {check_file, discard_file};
    if (check_all_read(command, options, argc, argv) != 0) {
        return 1;
    }
    int twins = check_twins(command, options);
    for (size_t step = 0; step < sizeof(steps) / sizeof(steps[0]); step++) {
        for (size_t i = 0; i < command->option_count; i++) {
            const struct cli_option *option = &command->options[i];
            if (steps[step](command, option, path_of(option, options)) != 0) {
                return 1;
            }
        }
    }
    return twins != 0 ? twins : check_one_output(command, options);
}

/* The option that `argument` is, with its value where that is in the same word. */
static bool is_result_file(const struct cli_command *command, const char *argument,
                           const char **ret_value)
{
    size_t len = strncmp(argument, "--", 2) == 0 ? strcspn(argument + 2, "=") : 0;
    for (size_t i = 0; i < command->option_count; i++) {
        const struct cli_option *option = &command->options[i];
        if (option->kind == CLI_RESULT_FILE && strlen(option->name) == len &&
            memcmp(option->name, argument + 2, len) == 0) {
            *ret_value = argument[2 + len] == '=' ? argument + 3 + len : NULL;
            return true;
        }
    }
    return false;
}

/* The value of a result file's option at `*at`, which then is where it stands; NULL: none. */
static const char *result_at(const struct cli_command *command, int argc, char **argv, int *at)
{
    const char *path = NULL;
    if (is_result_file(command, argv[*at], &path) && path == NULL && *at + 1 < argc &&
        argv[*at + 1][0] != '-') {
        path = argv[++*at];
    }
    return path != NULL && path[0] != '\0' ? path : NULL;
}

/* Whether a word, or what is behind its '=', is that file and no result. */
static bool is_read(const struct cli_command *command, const char *path, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        const char *value = argv[i][0] == '-' ? strchr(argv[i], '=') : NULL;
        if (result_at(command, argc, argv, &i) == NULL &&
            is_same_file(path, value != NULL ? value + 1 : argv[i])) {
            return true;
        }
    }
    return false;
}

void cli_result_discard(const struct cli_command *command, int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const char *path = result_at(command, argc, argv, &i);
        if (path != NULL && !is_read(command, path, argc, argv)) {
            (void)outfile_discard(path); /* the command line is what is told */
        }
    }
}

/* ---- after ----------------------------------------------------------------------------------- */

/* A command that ended before it could say more. */
struct early_end {
    const char *command;
    const char *target;
    int exit_code;
};

static void print_junit(FILE *out, const void *found)
{
    const struct early_end *end = found;
    const struct cli_junit_suite suite = {.command = end->command,
                                          .target = end->target != NULL ? end->target : "none",
                                          .tests = 1,
                                          .errors = 1};
    cli_junit_begin(out, &suite);
    cli_junit_case_begin(out, &suite, end->command);
    cli_junit_problem(out, CLI_JUNIT_ERROR, cli_result_word(end->exit_code), cli_last_error());
    cli_junit_case_end(out);
    cli_junit_end(out);
}

/* NULL: the command has none. */
static const char *find_target(const struct cli_command *command, const void *options,
                               char out[static TEXT_ADDRESS_BYTES])
{
    for (size_t i = 0; i < command->option_count; i++) {
        const struct cli_option *option = &command->options[i];
        if (option->kind == CLI_TARGET && strcmp(option->name, "target") == 0) {
            const struct text_address *target = field_of(option, options);
            return text_format_address(out, TEXT_ADDRESS_BYTES, target->host, target->port);
        }
    }
    return NULL;
}

int cli_result_finish(const struct cli_command *command, const void *options, int exit_code)
{
    bool ended_early = exit_code != EXIT_GOOD;
    if (!command->gives_verdict || !ended_early || cli_result_was_told()) {
        return exit_code;
    }
    char target[TEXT_ADDRESS_BYTES];
    const char *inner = cli_result_inner();
    const struct early_end end = {
        .command = inner != NULL ? inner : command->name,
        .target = inner != NULL ? NULL : find_target(command, options, target),
        .exit_code = exit_code,
    };
    const struct cli_result result = {
        .command = end.command, .target = end.target, .exit_code = exit_code};
    const struct cli_printers printers = {.junit = print_junit};
    return cli_result_tell(&result, &printers, &end, outputs_of(command, options));
}
