/* Help pages: examples first, then every option with its default, limits and environment. */
#include "cli/built_in.h"
#include "cli/describe.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/terminal.h"

#include <stdio.h>
#include <string.h>

#define HELP_COLUMN 30  /* where the sentences begin */
#define WIDTH_MAX   100 /* longer lines are hard to read */
#define WIDTH_MIN   60

static unsigned page_width(void)
{
    unsigned columns = cli_columns(stdout);
    return columns > WIDTH_MAX ? WIDTH_MAX : columns < WIDTH_MIN ? WIDTH_MIN : columns;
}

/* Prints a section's title. */
static void put_title(const char *title)
{
    printf("\n%s%s:%s\n", cli_style(stdout, CLI_BOLD), title, cli_style(stdout, CLI_PLAIN));
}

/* Prints words from `column` on, and further lines from `indent` on. */
static void put_wrapped(const char *text, unsigned column, unsigned indent)
{
    unsigned width = page_width();
    const char *before = "";
    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        if (column + strlen(before) + len > width && before[0] != '\0') {
            printf("\n%*s", (int)indent, "");
            column = indent;
            before = "";
        }
        printf("%s%.*s", before, (int)len, text);
        column += (unsigned)(strlen(before) + len);
        before = " ";
        text += len;
        text += strspn(text, " ");
    }
    putchar('\n');
}

/* Two columns: `name` and a sentence. */
static void put_row(const char *name, const char *sentence, unsigned help_column)
{
    unsigned len = (unsigned)strlen(name);
    printf("%s", name);
    if (len + 2 > help_column) {
        printf("\n%*s", (int)help_column, "");
    } else {
        printf("%*s", (int)(help_column - len), "");
    }
    put_wrapped(sentence, help_column, help_column);
}

static void put_exit_codes(void)
{
    put_title("Exit codes");
    for (size_t i = 0; cli_exit_codes[i].codes != NULL; i++) {
        char codes[32];
        snprintf(codes, sizeof(codes), "  %s", cli_exit_codes[i].codes);
        put_row(codes, cli_exit_codes[i].meaning, 17);
    }
}

static void put_option(const struct cli_option *option)
{
    char name[96];
    char sentence[CLI_SENTENCE_BYTES];
    char dash[] = "  -x, ";
    dash[3] = option->short_name;
    snprintf(name, sizeof(name), "%s--%s%s%s", option->short_name != 0 ? dash : "      ",
             option->name, option->argument != NULL ? " " : "",
             option->argument != NULL ? option->argument : "");
    cli_describe_option(option, sentence);
    put_row(name, sentence, HELP_COLUMN);
}

void cli_print_help(const struct cli_command *command)
{
    printf("%s.\n", command->summary);
    put_title("Usage");
    printf("  grpcroute %s [options]%s%s\n", command->name, command->positional != NULL ? " " : "",
           command->positional != NULL ? command->positional : "");
    if (command->examples != NULL) {
        put_title("Examples");
        printf("%s", command->examples);
    }
    if (command->description != NULL) {
        printf("\n%s\n", command->description);
    }
    put_title("Options");
    for (size_t i = 0; i < command->option_count; i++) {
        put_option(&command->options[i]);
    }
    put_row("  -h, --help", "Show this help", HELP_COLUMN);
    put_exit_codes();
}

void cli_print_overview(const struct cli_program *program)
{
    char name[32];
    put_wrapped(program->summary, 0, 0);
    put_title("Usage");
    puts("  grpcroute COMMAND [options]");
    if (program->examples != NULL) {
        put_title("Examples");
        printf("%s", program->examples);
    }
    put_title("Commands");
    for (size_t i = 0; i < program->command_count; i++) {
        snprintf(name, sizeof(name), "  %s", program->commands[i]->name);
        put_row(name, program->commands[i]->summary, 17);
    }
    for (size_t i = 0; cli_built_in[i].name != NULL; i++) {
        snprintf(name, sizeof(name), "  %s", cli_built_in[i].name);
        put_row(name, cli_built_in[i].summary, 17);
    }
    put_exit_codes();
}
