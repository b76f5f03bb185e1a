/* Manual pages in the man(7) language: the words of the help, as roff reads them. */
#include "cli/man.h"

#include "cli/built_in.h"
#include "cli/describe.h"

#include <ctype.h>
#include <string.h>

/* Writes text so that roff takes none of it for a request, an escape or a ligature. */
static void put_text(const char *text, size_t len, FILE *out)
{
    if (len > 0 && (text[0] == '.' || text[0] == '\'')) {
        fputs("\\&", out);
    }
    for (size_t i = 0; i < len; i++) {
        switch (text[i]) {
        case '\\':
            fputs("\\e", out);
            break;
        case '-':
            fputs("\\-", out);
            break;
        case '\'':
            fputs("\\(aq", out);
            break;
        case '`':
            fputs("\\(ga", out);
            break;
        case '^':
            fputs("\\(ha", out);
            break;
        case '~':
            fputs("\\(ti", out);
            break;
        default:
            fputc(text[i], out);
        }
    }
}

static void put_string(const char *text, FILE *out)
{
    put_text(text, strlen(text), out);
}

static void put_line(const char *text, FILE *out)
{
    put_string(text, out);
    fputc('\n', out);
}

/* Lines that stay as they are, without the `indent` blanks that all of them begin with. */
static void put_lines_as_they_are(const char *text, size_t len, size_t indent, FILE *out)
{
    fputs(".EX\n", out);
    for (const char *end = text + len; text < end;) {
        size_t line = strcspn(text, "\n");
        size_t cut = strspn(text, " ") < indent ? strspn(text, " ") : indent;
        put_text(text + cut, line - cut, out);
        fputc('\n', out);
        text += line + (text[line] == '\n');
    }
    fputs(".EE\n", out);
}

/* One paragraph of a description: its lines are filled, but for those that are indented. */
static void put_paragraph(const char *text, size_t len, FILE *out)
{
    const char *end = text + len;
    while (text < end) {
        size_t line = strcspn(text, "\n");
        if (text[0] == ' ') { /* a table: up to the paragraph's end */
            put_lines_as_they_are(text, (size_t)(end - text), strspn(text, " "), out);
            return;
        }
        put_text(text, line, out);
        fputc('\n', out);
        text += line + (text[line] == '\n');
    }
}

static void put_description(const char *text, FILE *out)
{
    const char *before = "";
    while (*text != '\0') {
        const char *gap = strstr(text, "\n\n");
        size_t len = gap != NULL ? (size_t)(gap - text) : strlen(text);
        fputs(before, out);
        put_paragraph(text, len, out);
        before = ".PP\n";
        text += len;
        text += strspn(text, "\n");
    }
}

static void put_title(const char *command, FILE *out)
{
    fputs(".TH \"GRPCROUTE", out);
    if (command != NULL) {
        fputs("\\-", out);
        for (; *command != '\0'; command++) {
            char c = (char)toupper((unsigned char)*command);
            put_text(&c, 1, out);
        }
    }
    fputs("\" 1 \"\" \"grpcroute " GRPCROUTE_VERSION "\" \"User Commands\"\n", out);
}

/* ".SH NAME" and one line: the page's name and what it is about, which whatis(1) reads. */
static void put_name(const char *command, const char *summary, FILE *out)
{
    fputs(".SH NAME\ngrpcroute", out);
    if (command != NULL) {
        fputs("\\-", out);
        put_string(command, out);
    }
    fputs(" \\- ", out);
    char first = (char)tolower((unsigned char)summary[0]);
    put_text(&first, 1, out);
    put_line(summary + 1, out);
}

static void put_option(const struct cli_option *option, FILE *out)
{
    char sentence[CLI_SENTENCE_BYTES];
    cli_describe_option(option, sentence);
    fputs(".TP\n", out);
    if (option->short_name != 0) {
        fprintf(out, "\\fB\\-%c\\fR, ", option->short_name);
    }
    fputs("\\fB\\-\\-", out);
    put_string(option->name, out);
    fputs("\\fR", out);
    if (option->argument != NULL) {
        fputs(" \\fI", out);
        put_string(option->argument, out);
        fputs("\\fR", out);
    }
    fputc('\n', out);
    put_line(sentence, out);
}

static void put_options(const struct cli_command *command, FILE *out)
{
    fputs(".SH OPTIONS\n", out);
    for (size_t i = 0; i < command->option_count; i++) {
        put_option(&command->options[i], out);
    }
    fputs(".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nShow the help\n", out);
}

static void put_examples(const char *examples, FILE *out)
{
    if (examples != NULL) {
        fputs(".SH EXAMPLES\n", out);
        put_lines_as_they_are(examples, strlen(examples), 2, out);
    }
}

static void put_exit_codes(FILE *out)
{
    fputs(".SH EXIT STATUS\n", out);
    for (size_t i = 0; cli_exit_codes[i].codes != NULL; i++) {
        fprintf(out, ".TP\n.B %s\n", cli_exit_codes[i].codes);
        put_line(cli_exit_codes[i].meaning, out);
    }
}

static void put_page_of_command(const struct cli_command *command, FILE *out)
{
    put_title(command->name, out);
    put_name(command->name, command->summary, out);
    fputs(".SH SYNOPSIS\n.B grpcroute ", out);
    put_string(command->name, out);
    fputs("\n.RI [ options ]\n", out);
    if (command->positional != NULL) {
        put_line(command->positional, out);
    }
    if (command->description != NULL) {
        fputs(".SH DESCRIPTION\n", out);
        put_description(command->description, out);
    }
    put_options(command, out);
    put_exit_codes(out);
    put_examples(command->examples, out);
    fputs(".SH SEE ALSO\n.BR grpcroute (1)\n", out);
}

static void put_command_row(const char *name, const char *summary, FILE *out)
{
    fputs(".TP\n.B ", out);
    put_line(name, out);
    put_line(summary, out);
}

static void put_page_of_program(const struct cli_program *program, FILE *out)
{
    put_title(NULL, out);
    put_name(NULL, program->summary, out);
    fputs(".SH SYNOPSIS\n.B grpcroute\n.I COMMAND\n.RI [ options ]\n.SH COMMANDS\n", out);
    for (size_t i = 0; i < program->command_count; i++) {
        put_command_row(program->commands[i]->name, program->commands[i]->summary, out);
    }
    for (size_t i = 0; cli_built_in[i].name != NULL; i++) {
        put_command_row(cli_built_in[i].name, cli_built_in[i].summary, out);
    }
    put_exit_codes(out);
    put_examples(program->examples, out);
    fputs(".SH SEE ALSO\n", out);
    for (size_t i = 0; i < program->command_count; i++) {
        fputs(".BR grpcroute\\-", out);
        put_string(program->commands[i]->name, out);
        fprintf(out, " (1)%s\n", i + 1 < program->command_count ? "," : "");
    }
}

void cli_man(const struct cli_program *program, const struct cli_command *command, FILE *out)
{
    if (command != NULL) {
        put_page_of_command(command, out);
    } else {
        put_page_of_program(program, out);
    }
}
