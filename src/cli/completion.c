/* Completion scripts for bash and zsh. All words come from our own tables. */
#include "cli/completion.h"

#include <string.h>

static bool takes_file(const struct cli_option *option)
{
    return option->kind == CLI_FILE || option->kind == CLI_RESULT_FILE;
}

/* ---- bash ---- */

static void put_bash_commands(const struct cli_program *program, FILE *out)
{
    for (size_t i = 0; i < program->command_count; i++) {
        fprintf(out, "%s ", program->commands[i]->name);
    }
}

static void put_words(const char *const *words, FILE *out)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        fprintf(out, "%s%s", i > 0 ? " " : "", words[i]);
    }
}

/* One branch of `case "$command $previous"` for an option that takes a value. */
static void put_bash_value(const struct cli_command *command, const struct cli_option *option,
                           FILE *out)
{
    if (option->kind == CLI_FLAG) {
        return;
    }
    fprintf(out, "    '%s --%s'", command->name, option->name);
    if (option->short_name != 0) {
        fprintf(out, " | '%s -%c'", command->name, option->short_name);
    }
    if (takes_file(option)) {
        fputs(")\n        compopt -o default\n        return\n        ;;\n", out);
    } else if (option->choices != NULL) {
        fputs(")\n        words='", out);
        put_words(option->choices, out);
        fputs(option->kind == CLI_LIST ? "'\n        files=1\n        ;;\n" : "'\n        ;;\n", out);
    } else {
        fputs(")\n        return\n        ;;\n", out);
    }
}

/* Branches of the same case for what has no option in front: first the words of the command, then
 * its files, or else its options. */
static void put_bash_options(const struct cli_command *command, FILE *out)
{
    if (command->positional_words != NULL) {
        fprintf(out, "    '%s %s')\n        words='", command->name, command->name);
        put_words(command->positional_words, out);
        fputs(" '\n        [[ $current == -* ]] || options=0\n        ;;&\n", out);
    }
    fprintf(out, "    '%s '*)\n", command->name);
    if (command->positional_files) {
        fputs("        [[ $current == -* || $COMP_CWORD -eq 2 ]] || files=1 options=0\n", out);
    }
    fputs("        [[ $options -eq 0 ]] || words+='", out);
    for (size_t i = 0; i < command->option_count; i++) {
        fprintf(out, "--%s ", command->options[i].name);
    }
    fputs("--help'\n        ;;\n", out);
}

static void put_bash(const struct cli_program *program, FILE *out)
{
    fputs("# bash completion for grpcroute: source <(grpcroute completion bash)\n"
          "_grpcroute() {\n"
          "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
          "    local command=${COMP_WORDS[1]} words='' files=0 options=1\n"
          "    COMPREPLY=()\n"
          "    # bash splits --name=value into three words\n"
          "    if [[ $current == '=' ]]; then\n"
          "        current=''\n"
          "    elif [[ $previous == '=' ]]; then\n"
          "        previous=${COMP_WORDS[COMP_CWORD - 2]}\n"
          "    fi\n"
          "    if [[ $COMP_CWORD -eq 1 ]]; then\n"
          "        command=''\n"
          "        previous=''\n"
          "    fi\n"
          "    case \"$command $previous\" in\n"
          "    ' ')\n"
          "        words='",
          out);
    put_bash_commands(program, out);
    fputs("help completion version --help --version'\n        ;;\n    'help '*)\n        words='",
          out);
    put_bash_commands(program, out);
    fputs("completion version'\n        ;;\n"
          "    'completion '*)\n        words='bash zsh'\n        ;;\n",
          out);
    for (size_t i = 0; i < program->command_count; i++) {
        const struct cli_command *command = program->commands[i];
        for (size_t j = 0; j < command->option_count; j++) {
            put_bash_value(command, &command->options[j], out);
        }
        put_bash_options(command, out);
    }
    fputs("    esac\n"
          "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
          "    if [[ $files -eq 1 ]]; then\n"
          "        compopt -o filenames\n"
          "        mapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen -f -- \"$current\")\n"
          "    fi\n"
          "}\n"
          "complete -F _grpcroute grpcroute\n",
          out);
}

/* ---- zsh ---- */

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
    if (takes_file(option)) {
        fputs("_files", out);
    } else if (option->choices != NULL) {
        fputs(option->kind == CLI_LIST ? " _grpcroute_or_files " : "(", out);
        put_words(option->choices, out);
        fputs(option->kind == CLI_LIST ? "" : ")", out);
    }
    fputc('\'', out);
}

static void put_zsh_positional(const struct cli_command *command, FILE *out)
{
    if (command->positional_words != NULL) {
        fputs(" \\\n            '1:word:(", out);
        put_words(command->positional_words, out);
        fputs(")'", out);
    }
    if (command->positional_files) {
        fputs(" \\\n            '*:file:_files'", out);
    }
}

static void put_zsh_command_names(const struct cli_program *program, FILE *out)
{
    fputs("    local -a commands\n    commands=(\n", out);
    for (size_t i = 0; i < program->command_count; i++) {
        fprintf(out, "        '%s:", program->commands[i]->name);
        put_zsh_text(program->commands[i]->summary, "\\:", out);
        fputs("'\n", out);
    }
    fputs("        'help:Show the help of a command'\n"
          "        'completion:Print a completion script'\n"
          "        'version:Show versions'\n"
          "    )\n",
          out);
}

static void put_zsh(const struct cli_program *program, FILE *out)
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
          "        help)\n"
          "            _describe -t commands command commands\n"
          "            ;;\n"
          "        completion)\n"
          "            _values shell bash zsh\n"
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

int cli_completion(const struct cli_program *program, const char *shell, FILE *out)
{
    if (strcmp(shell, "bash") == 0) {
        put_bash(program, out);
    } else if (strcmp(shell, "zsh") == 0) {
        put_zsh(program, out);
    } else {
        return 1;
    }
    return 0;
}
