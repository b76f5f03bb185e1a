#include "cli/completion.h"

#include <stdio.h>
#include <string.h>

static void print_names(const struct cli_command *const *commands)
{
    for (size_t i = 0; commands[i] != NULL; i++) {
        printf(" %s", commands[i]->name);
    }
}

/* The case branch of an option's value: choices are offered by name, files by the shell. */
static void print_value_case(const struct cli_option *option)
{
    if (option->kind == CLI_FILE) {
        printf("        --%s) COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n", option->name);
    } else if (option->choices != NULL) {
        printf("        --%s) COMPREPLY=($(compgen -W \"", option->name);
        for (size_t i = 0; option->choices[i] != NULL; i++) {
            printf("%s%s", i > 0 ? " " : "", option->choices[i]);
        }
        printf("\" -- \"$current\")); return ;;\n");
    } else if (option->kind != CLI_FLAG) {
        printf("        --%s) return ;;\n", option->name);
    }
}

static void print_command_case(const struct cli_command *command)
{
    printf("    %s)\n        case $previous in\n", command->name);
    for (size_t i = 0; i < command->option_count; i++) {
        print_value_case(&command->options[i]);
    }
    printf("        esac\n        words=\"--help");
    for (size_t i = 0; i < command->option_count; i++) {
        printf(" --%s", command->options[i].name);
    }
    printf("\" ;;\n");
}

static void print_bash(const struct cli_command *const *commands)
{
    printf("# grpcroute completion: source this file\n"
           "_grpcroute() {\n"
           "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} words=\"\"\n"
           "    COMPREPLY=()\n"
           "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
           "        COMPREPLY=($(compgen -W \"--help --version help completion");
    print_names(commands);
    printf("\" -- \"$current\"))\n        return\n    fi\n    case ${COMP_WORDS[1]} in\n"
           "    completion) words=\"bash zsh\" ;;\n    help) words=\"");
    print_names(commands);
    printf("\" ;;\n");
    for (size_t i = 0; commands[i] != NULL; i++) {
        print_command_case(commands[i]);
    }
    printf("    esac\n    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n}\n"
           "complete -F _grpcroute grpcroute\n");
}

int cli_print_completion(const char *shell, const struct cli_command *const *commands)
{
    if (strcmp(shell, "zsh") == 0) {
        printf("#compdef grpcroute\nautoload -U +X bashcompinit && bashcompinit\n");
    } else if (strcmp(shell, "bash") != 0) {
        return 1;
    }
    print_bash(commands);
    return 0;
}
