/* Help pages: examples first, then every option with its default, limits and environment. */
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/terminal.h"
#include "cli/value.h"

#include <stdio.h>
#include <string.h>

#define HELP_COLUMN        30  /* where the sentences begin */
#define WIDTH_MAX          100 /* longer lines are hard to read */
#define WIDTH_MIN          60
#define SENTENCE_MAX_BYTES 512

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
    static const struct {
        const char *codes;
        const char *meaning;
    } CODES[] = {
        {"  0", "All good"},
        {"  1", "A check failed"},
        {"  2", "Wrong options, configuration or fault command; unwritable file"},
        {"  3", "Could not connect"},
        {"  4", "Not enough evidence for a verdict"},
        {"  130, 143", "Interrupted (SIGINT, SIGTERM)"},
    };
    put_title("Exit codes");
    for (size_t i = 0; i < sizeof(CODES) / sizeof(CODES[0]); i++) {
        put_row(CODES[i].codes, CODES[i].meaning, 12);
    }
}

/* Adds a fact to the bracket behind a sentence. */
static void add_fact(char *facts, const char *label, const char *value)
{
    size_t len = strlen(facts);
    snprintf(facts + len, SENTENCE_MAX_BYTES - len, "%s%s%s", len > 0 ? "; " : "", label, value);
}

static void add_choices(char *facts, const struct cli_option *option)
{
    char choices[SENTENCE_MAX_BYTES / 2] = "";
    for (size_t i = 0; option->choices[i] != NULL; i++) {
        size_t len = strlen(choices);
        snprintf(choices + len, sizeof(choices) - len, "%s%s", i > 0 ? ", " : "",
                 option->choices[i]);
    }
    add_fact(facts, "", choices);
}

/* The sentence and, in brackets, choices, limits, default and environment. */
static void describe(const struct cli_option *option, char out[static SENTENCE_MAX_BYTES])
{
    char facts[SENTENCE_MAX_BYTES] = "";
    char range[CLI_RANGE_BYTES];
    cli_value_range(option, range);
    if (option->required) {
        add_fact(facts, "required", "");
    }
    if (option->kind == CLI_CHOICE) {
        add_choices(facts, option);
    }
    if (range[0] != '\0') {
        add_fact(facts, range, "");
    }
    if (option->fallback != NULL) {
        add_fact(facts, "default ", option->fallback);
    }
    if (option->environment != NULL) {
        add_fact(facts, "environment ", option->environment);
    }
    if (option->environment_negated) {
        strncat(facts, "=false", sizeof(facts) - strlen(facts) - 1);
    }
    if (option->kind == CLI_LIST) {
        add_fact(facts, "repeatable", "");
    }
    snprintf(out, SENTENCE_MAX_BYTES, facts[0] != '\0' ? "%s (%s)" : "%s%s", option->help, facts);
}

static void put_option(const struct cli_option *option)
{
    char name[96];
    char sentence[SENTENCE_MAX_BYTES];
    char dash[] = "  -x, ";
    dash[3] = option->short_name;
    snprintf(name, sizeof(name), "%s--%s%s%s", option->short_name != 0 ? dash : "      ",
             option->name, option->argument != NULL ? " " : "",
             option->argument != NULL ? option->argument : "");
    describe(option, sentence);
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
    put_row("  help", "Show the help of a command: grpcroute help COMMAND", 17);
    put_row("  completion", "Print a completion script: grpcroute completion bash|zsh", 17);
    put_row("  version", "Show the versions of the program and its libraries", 17);
    put_exit_codes();
}
