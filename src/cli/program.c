/* Dispatch: a word names a command, its table parses the rest. */
#include "cli/program.h"

#include "base/log.h"
#include "base/mem.h"
#include "cli/built_in.h"
#include "cli/called.h"
#include "cli/completion.h"
#include "cli/exit.h"
#include "cli/invocation.h"
#include "cli/man.h"
#include "cli/result.h"
#include "cli/result_program.h"
#include "cli/suggest.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cli_command *find_command(const struct cli_program *program, const char *name)
{
    for (size_t i = 0; i < program->command_count; i++) {
        if (strcmp(program->commands[i]->name, name) == 0) {
            return program->commands[i];
        }
    }
    return NULL;
}

static int complain_unknown(const struct cli_program *program, const char *name)
{
    char typed[80];
    text_escape(typed, sizeof(typed), name, strlen(name));
    struct cli_suggestion suggestion = {.typed = typed};
    for (size_t i = 0; i < program->command_count; i++) {
        cli_suggest(&suggestion, program->commands[i]->name);
    }
    for (size_t i = 0; cli_built_in[i].name != NULL; i++) {
        cli_suggest(&suggestion, cli_built_in[i].name);
    }
    if (name[0] == '-') {
        cli_error(NULL, "%s: a command comes first, then its options; see %s --help", typed,
                  cli_called());
    } else if (suggestion.best != NULL) {
        cli_error(NULL, "unknown command \"%s\"; did you mean %s?", typed, suggestion.best);
    } else {
        cli_error(NULL, "unknown command \"%s\"; see %s --help", typed, cli_called());
    }
    return EXIT_USAGE;
}

/* `grpcroute help [COMMAND]`; `argv` begins with the word after "help". */
static int run_help(const struct cli_program *program, int argc, char **argv)
{
    if (argc == 0 || strcmp(argv[0], "help") == 0) {
        cli_print_overview(program);
        return EXIT_GOOD;
    }
    if (strcmp(argv[0], "completion") == 0) {
        puts("Usage: grpcroute completion bash|zsh|fish\n\n"
             "Prints a script that completes commands, options and values.\n\n"
             "Examples:\n"
             "  # This shell only\n"
             "  source <(grpcroute completion bash)\n"
             "  # Every shell from now on\n"
             "  grpcroute completion zsh > \"${fpath[1]}/_grpcroute\"\n"
             "  grpcroute completion fish > ~/.config/fish/completions/grpcroute.fish");
        return EXIT_GOOD;
    }
    if (strcmp(argv[0], "man") == 0) {
        puts("Usage: grpcroute man [COMMAND]\n\n"
             "Prints the manual page of the program or of a command.\n\n"
             "Examples:\n"
             "  grpcroute man verify | man -l -");
        return EXIT_GOOD;
    }
    if (strcmp(argv[0], "version") == 0) {
        puts(program->version);
        return EXIT_GOOD;
    }
    const struct cli_command *command = find_command(program, argv[0]);
    if (command == NULL) {
        return complain_unknown(program, argv[0]);
    }
    cli_print_help(command);
    return EXIT_GOOD;
}

/* `grpcroute completion SHELL`. */
static int run_completion(const struct cli_program *program, int argc, char **argv)
{
    if (argc == 1 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
        return run_help(program, 1, (char *[]){mem_unconst("completion")});
    }
    if (argc != 1 || cli_completion(program, argv[0], stdout) != 0) {
        cli_error("completion", "expected one argument: bash, zsh or fish");
        return EXIT_USAGE;
    }
    return EXIT_GOOD;
}

/* `grpcroute man [COMMAND]`. */
static int run_man(const struct cli_program *program, int argc, char **argv)
{
    if (argc == 1 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
        return run_help(program, 1, (char *[]){mem_unconst("man")});
    }
    const struct cli_command *command = argc > 0 ? find_command(program, argv[0]) : NULL;
    if (argc > 1) {
        cli_error("man", "expected one command, or none for the program's own page");
        return EXIT_USAGE;
    }
    if (argc == 1 && command == NULL) {
        return complain_unknown(program, argv[0]);
    }
    cli_man(program, command, stdout);
    return EXIT_GOOD;
}

static int run_with(const struct cli_command *command, const void *options, int argc, char **argv)
{
    if (cli_result_prepare(command, options, argc, argv) != 0) {
        return EXIT_USAGE;
    }
    return cli_result_finish(command, options, command->run(options, argc, argv));
}

static int run_command(const struct cli_command *command, int argc, char **argv)
{
    void *options = mem_calloc(1, command->struct_bytes);
    bool help;
    int rest;
    int result = EXIT_USAGE;
    char **positional;
    char **given = mem_calloc((size_t)argc + 1, sizeof(*given)); /* argv will be reordered */
    memcpy(given, argv, (size_t)argc * sizeof(*given));
    if (cli_parse(command, argc, argv, options, &help, &rest, &positional) != 0) {
        cli_result_discard(command, argc, given);
    } else if (help) {
        cli_print_help(command);
        result = EXIT_GOOD;
    } else {
        result = run_with(command, options, rest, positional);
    }
    free(given);
    free(options);
    return result;
}

static int dispatch(const struct cli_program *program, int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "help";
    int rest = argc > 2 ? argc - 2 : 0;
    char **rest_argv = argv + (argc > 2 ? 2 : argc);
    if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        return run_help(program, rest, rest_argv);
    }
    if (strcmp(word, "version") == 0 || strcmp(word, "--version") == 0) {
        puts(program->version);
        return EXIT_GOOD;
    }
    if (strcmp(word, "completion") == 0) {
        return run_completion(program, rest, rest_argv);
    }
    if (strcmp(word, "man") == 0) {
        return run_man(program, rest, rest_argv);
    }
    const struct cli_command *command = find_command(program, word);
    if (command == NULL) {
        return complain_unknown(program, word);
    }
    cli_invocation_note(command, argc, argv);
    return run_command(command, rest, rest_argv);
}

/* What stdio writes on its own, when its buffer is full, fails without a cause that could be asked
 * for later, so all that a command prints waits for a flush. A terminal keeps its lines. */
static void buffer_output(void)
{
    static char buffer[256 * 1024]; /* more than any text of our own */
    if (isatty(STDOUT_FILENO) == 0) {
        setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
    }
}

/* Nobody reads it any more. */
static bool is_broken_pipe(int fd)
{
    struct pollfd state = {.fd = fd, .events = POLLOUT};
    return poll(&state, 1, 0) > 0 && (state.revents & POLLERR) != 0;
}

/* A result that was not written is none: a full disk must not look like a passed check. One that
 * failed keeps its exit code. */
static int finish_output(int result)
{
    bool failed_before = ferror(stdout) != 0;
    int before = cli_result_write_error() != 0 ? cli_result_write_error() : EIO; /* not known */
    int error = fflush(stdout) != 0 ? errno : failed_before ? before : 0;
    if (error != 0 && is_broken_pipe(STDOUT_FILENO)) {
        error = EPIPE;
    }
    if (error != 0) {
        cli_error(NULL, "cannot write to standard output: %s", strerror(error));
    }
    return error != 0 && result == EXIT_GOOD ? EXIT_USAGE : result;
}

int cli_run(const struct cli_program *program, int argc, char **argv)
{
    buffer_output();
    cli_result_begin();
    cli_called_as(argv[0]);
    int result = dispatch(program, argc, argv);
    log_finish();
    cli_invocation_forget();
    return finish_output(result);
}
