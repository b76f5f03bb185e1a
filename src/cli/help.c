/* Help, made of the same table that drives parsing. */
#include "cli/options.h"
#include "cli/terminal.h"

#include <stdio.h>
#include <string.h>

static void print_left(const struct cli_option *option)
{
    char left[96];
    char short_part[8] = "    ";
    if (option->short_name != 0) {
        snprintf(short_part, sizeof(short_part), "-%c, ", option->short_name);
    }
    snprintf(left, sizeof(left), "  %s--%s%s%s", short_part, option->name,
             option->argument != NULL ? " " : "", option->argument != NULL ? option->argument : "");
    printf("%s%s%s\n", cli_style(stdout, CLI_BOLD), left, cli_style(stdout, CLI_PLAIN));
}

static void print_choices(const struct cli_option *option)
{
    printf("%s", " (");
    for (size_t i = 0; option->choices[i] != NULL; i++) {
        printf("%s%s", i > 0 ? ", " : "", option->choices[i]);
    }
    printf(")");
}

static void print_range(const struct cli_option *option)
{
    if (option->kind == CLI_COUNT && option->max != 0) {
        printf(" (%llu to %llu)", (unsigned long long)option->min, (unsigned long long)option->max);
    }
}

static void print_option(const struct cli_option *option)
{
    print_left(option);
    printf("          %s", option->help);
    if (option->choices != NULL) {
        print_choices(option);
    }
    print_range(option);
    if (option->fallback != NULL) {
        printf(" [default: %s]", option->fallback);
    }
    if (option->environment != NULL) {
        printf(" [env: %s%s]", option->environment, option->environment_negated ? "=false" : "");
    }
    printf("%s\n", option->required ? " [required]" : "");
}

static void print_title(const char *title)
{
    printf("\n%s%s%s\n", cli_style(stdout, CLI_BOLD), title, cli_style(stdout, CLI_PLAIN));
}

void cli_print_help(const struct cli_command *command)
{
    printf("%s.\n", command->summary);
    if (command->examples != NULL) {
        print_title("Examples:");
        fputs(command->examples, stdout);
    }
    print_title("Usage:");
    printf("  grpcroute %s [options]%s%s\n", command->name, command->positional != NULL ? " " : "",
           command->positional != NULL ? command->positional : "");
    if (command->description != NULL) {
        printf("\n%s\n", command->description);
    }
    print_title("Options:");
    for (size_t i = 0; i < command->option_count; i++) {
        print_option(&command->options[i]);
    }
    printf("%s  -h, --help%s\n          Show this help\n", cli_style(stdout, CLI_BOLD),
           cli_style(stdout, CLI_PLAIN));
    print_title("Exit codes:");
    puts("  0 all good; 1 a check failed; 2 usage or configuration; 3 could not connect;\n"
         "  4 not enough evidence; 130 and 143 interrupted");
}
