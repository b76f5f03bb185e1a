/* Completion for bash. All words come from our own tables. */
#include "cli/built_in.h"
#include "cli/completion_impl.h"

static void put_bash_commands(const struct cli_program *program, FILE *out)
{
    for (size_t i = 0; i < program->command_count; i++) {
        fprintf(out, "%s ", program->commands[i]->name);
    }
}

static void put_bash_built_in(FILE *out)
{
    for (size_t i = 0; cli_built_in[i].name != NULL; i++) {
        fprintf(out, "%s ", cli_built_in[i].name);
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
    if (cli_completion_takes_file(option)) {
        fputs(")\n        compopt -o default\n        return\n        ;;\n", out);
    } else if (option->choices != NULL) {
        fputs(")\n        words='", out);
        cli_completion_words(option->choices, out);
        fputs(option->kind == CLI_LIST ? "'\n        files=1\n        ;;\n" : "'\n        ;;\n",
              out);
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
        cli_completion_words(command->positional_words, out);
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

void cli_completion_bash(const struct cli_program *program, FILE *out)
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
    put_bash_built_in(out);
    fputs("--help --version'\n        ;;\n    'help '* | 'man '*)\n        words='", out);
    put_bash_commands(program, out);
    fputs("'\n        ;;\n    'completion '*)\n        words='" CLI_SHELLS "'\n        ;;\n", out);
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
