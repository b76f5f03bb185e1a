/* Completion for zsh. All words come from our own tables. */
#include "cli/built_in.h"
#include "cli/completion_impl.h"

#include <string.h>

/* Prints text for a single-quoted word; `special` are the characters that _arguments and _describe
 * read and that a backslash turns off. */
static void put_zsh_text(const char *text, const char *special, FILE *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            fputs("'\\''", out);
            continue;
        }
        if (strchr(special, *text) != NULL) {
            fputc('\\', out);
        }
        fputc(*text, out);
    }
}

static void put_zsh_option(const struct cli_option *option, FILE *out)
{
    bool takes_value = option->kind != CLI_FLAG;
    const char *repeats = option->kind == CLI_LIST ? "*" : "";
    fputs(" \\\n            ", out);
    if (option->short_name != 0) { /* one of the two forms excludes the other */
        fprintf(out, "'(-%c --%s)'{-%c%s,--%s%s}'[", option->short_name, option->name,
                option->short_name, takes_value ? "+" : "", option->name, takes_value ? "=" : "");
    } else {
        fprintf(out, "'%s--%s%s[", repeats, option->name, takes_value ? "=" : "");
    }
    put_zsh_text(option->help, "[]\\:", out);
    fputc(']', out);
    if (takes_value) {
        fputc(':', out);
        put_zsh_text(option->argument != NULL ? option->argument : "VALUE", "[]\\:", out);
        fputc(':', out);
    }
    if (cli_completion_takes_file(option)) {
        fputs("_files", out);
    } else if (option->choices != NULL) {
        fputs(option->kind == CLI_LIST ? " _grpcroute_or_files " : "(", out);
        cli_completion_words(option->choices, out);
        fputs(option->kind == CLI_LIST ? "" : ")", out);
    }
    fputc('\'', out);
}

static void put_zsh_positional(const struct cli_command *command, FILE *out)
{
    if (command->positional_words != NULL) {
        fputs(" \\\n            '1:word:(", out);
        cli_completion_words(command->positional_words, out);
        fputs(")'", out);
    }
    if (command->positional_files) {
        fputs(" \\\n            '*:file:_files'", out);
    }
}

static void put_zsh_name(const char *name, const char *summary, FILE *out)
{
    fprintf(out, "        '%s:", name);
    put_zsh_text(summary, "\\:", out);
    fputs("'\n", out);
}

static void put_zsh_command_names(const struct cli_program *program, FILE *out)
{
    fputs("    local -a commands\n    commands=(\n", out);
    for (size_t i = 0; i < program->command_count; i++) {
        put_zsh_name(program->commands[i]->name, program->commands[i]->summary, out);
    }
    for (size_t i = 0; cli_built_in[i].name != NULL; i++) {
        put_zsh_name(cli_built_in[i].name, cli_built_in[i].summary, out);
    }
    fputs("    )\n", out);
}

void cli_completion_zsh(const struct cli_program *program, FILE *out)
{
    fputs("#compdef grpcroute\n"
          "_grpcroute_or_files() {\n"
          "    _alternative \"word:word:($*)\" 'file:file:_files'\n"
          "}\n"
          "_grpcroute() {\n"
          "    local context curcontext=\"$curcontext\" state line\n"
          "    local -A opt_args\n",
          out);
    put_zsh_command_names(program, out);
    fputs("    _arguments -C '(- *)'{-h,--help}'[Show help]' '(- *)--version[Show versions]' \\\n"
          "        '1:command:->command' '*::argument:->arguments'\n"
          "    case $state in\n"
          "    command)\n"
          "        _describe -t commands command commands\n"
          "        ;;\n"
          "    arguments)\n"
          "        case $words[1] in\n"
          "        help | man)\n"
          "            _describe -t commands command commands\n"
          "            ;;\n"
          "        completion)\n"
          "            _values shell " CLI_SHELLS "\n"
          "            ;;\n",
          out);
    for (size_t i = 0; i < program->command_count; i++) {
        const struct cli_command *command = program->commands[i];
        fprintf(out, "        %s)\n            _arguments -s", command->name);
        for (size_t j = 0; j < command->option_count; j++) {
            put_zsh_option(&command->options[j], out);
        }
        put_zsh_positional(command, out);
        fputs(" \\\n            '(- *)'{-h,--help}'[Show this help]'\n            ;;\n", out);
    }
    fputs("        esac\n"
          "        ;;\n"
          "    esac\n"
          "}\n"
          "# Sourced it registers itself; from a directory of fpath it runs.\n"
          "if [[ ${funcstack[1]} == _grpcroute ]]; then\n"
          "    _grpcroute \"$@\"\n"
          "else\n"
          "    compdef _grpcroute grpcroute\n"
          "fi\n",
          out);
}
