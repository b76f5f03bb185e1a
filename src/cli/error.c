/* The one line that ends a command. */
#include "cli/options.h"
#include "cli/terminal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES 2048

/* What ends a command is also its result. */
static char last[LINE_MAX_BYTES];

const char *cli_last_error(void)
{
    return last;
}

/* Backslashes stay: a value that was escaped before would otherwise be escaped twice. */
static void put_safely(FILE *stream, const char *text)
{
    char shown[4 * LINE_MAX_BYTES];
    text_escape(shown, sizeof(shown), text, strlen(text));
    if (cli_shows_utf8()) {
        text_make_readable(shown);
    }
    fputs(shown, stream);
}

void cli_error(const char *command, const char *format, ...)
{
    char text[LINE_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    text_escape(last, sizeof(last), text, strlen(text));

    flockfile(stderr);
    fputs("grpcroute", stderr);
    if (command != NULL) {
        fputc(' ', stderr);
        put_safely(stderr, command);
    }
    fputs(": ", stderr);
    put_safely(stderr, text);
    fputc('\n', stderr);
    funlockfile(stderr);
}
