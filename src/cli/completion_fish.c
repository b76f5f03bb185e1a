/* Completion for fish. All words come from our own tables. */
#include "cli/built_in.h"
#include "cli/completion_impl.h"

/* A single-quoted word of fish, in which a backslash and a quote are special. */
static void put_quoted(const char *text, FILE *out)
{
    fputc('\'', out);
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\') {
            fputc('\\', out);
        }
        fputc(*text, out);
    }
    fputc('\'', out);
}

static void put_command(const char *name, const char *summary, FILE *out)
{
    fprintf(out, "complete -c grpcroute -n __grpcroute_first -a %s -d ", name);
    put_quoted(summary, out);
    fputc('\n', out);
}

/* What an option's value may be: choices, files, or anything. */
static void put_value(const struct cli_option *option, FILE *out)
{
    bool offers_files = cli_completion_takes_file(option) || option->kind == CLI_LIST;
    fputs(offers_files ? " -r -F" : " -x", out);
    if (option->choices != NULL) {
        fputs(" -a '", out);
        cli_completion_words(option->choices, out);
        fputc('\'', out);
    }
}

static void put_option(const struct cli_command *command, const struct cli_option *option,
                       FILE *out)
{
    fprintf(out, "complete -c grpcroute -n '__grpcroute_runs %s' -l %s", command->name,
            option->name);
    if (option->short_name != 0) {
        fprintf(out, " -s %c", option->short_name);
    }
    if (option->kind != CLI_FLAG) {
        put_value(option, out);
    }
    fputs(" -d ", out);
    put_quoted(option->help, out);
    fputc('\n', out);
}

static void put_positional(const struct cli_command *command, FILE *out)
{
    if (command->positional_words != NULL) {
        fprintf(out, "complete -c grpcroute -n '__grpcroute_runs_alone %s' -a '", command->name);
        cli_completion_words(command->positional_words, out);
        fputs("'\n", out);
    }
    if (command->positional_files) {
        fprintf(out, "complete -c grpcroute -n '__grpcroute_runs_more %s' -F\n", command->name);
    }
}

static void put_one(const struct cli_command *command, FILE *out)
{
    for (size_t i = 0; i < command->option_count; i++) {
        put_option(command, &command->options[i], out);
    }
    fprintf(out,
            "complete -c grpcroute -n '__grpcroute_runs %s' -l help -s h -d 'Show this help'\n",
            command->name);
    put_positional(command, out);
}

static void put_names_of_commands(const struct cli_program *program, const char *behind, FILE *out)
{
    fprintf(out, "complete -c grpcroute -n '__grpcroute_runs_alone %s' -a '", behind);
    for (size_t i = 0; i < program->command_count; i++) {
        fprintf(out, "%s ", program->commands[i]->name);
    }
    fputs("'\n", out);
}

void cli_completion_fish(const struct cli_program *program, FILE *out)
{
    fputs("# fish completion for grpcroute: grpcroute completion fish | source\n"
          "function __grpcroute_first\n"
          "    test (count (commandline -opc)) -eq 1\n"
          "end\n"
          "function __grpcroute_runs\n"
          "    set -l words (commandline -opc)\n"
          "    test (count $words) -ge 2; and test $words[2] = $argv[1]\n"
          "end\n"
          "function __grpcroute_runs_alone\n"
          "    __grpcroute_runs $argv[1]; and test (count (commandline -opc)) -eq 2\n"
          "end\n"
          "function __grpcroute_runs_more\n"
          "    __grpcroute_runs $argv[1]; and test (count (commandline -opc)) -gt 2\n"
          "end\n"
          "complete -c grpcroute -f\n"
          "complete -c grpcroute -n __grpcroute_first -l help -s h -d 'Show help'\n"
          "complete -c grpcroute -n __grpcroute_first -l version -d 'Show versions'\n"
          "complete -c grpcroute -n '__grpcroute_runs_alone completion' -a '" CLI_SHELLS "'\n",
          out);
    for (size_t i = 0; i < program->command_count; i++) {
        put_command(program->commands[i]->name, program->commands[i]->summary, out);
        put_one(program->commands[i], out);
    }
    for (size_t i = 0; cli_built_in[i].name != NULL; i++) {
        put_command(cli_built_in[i].name, cli_built_in[i].summary, out);
    }
    put_names_of_commands(program, "help", out);
    put_names_of_commands(program, "man", out);
}
