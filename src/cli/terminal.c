/* What the terminal can show. */
#include "cli/terminal.h"

#include "base/text.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEFAULT_COLUMNS 80

/* True when the stream is a terminal that understands escape sequences. */
static bool is_capable_terminal(FILE *stream)
{
    const char *term = getenv("TERM");
    return isatty(fileno(stream)) && term != NULL && strcmp(term, "dumb") != 0;
}

const char *cli_style(FILE *stream, enum cli_style style)
{
    static const char *const SEQUENCES[] = {
        [CLI_PLAIN] = "\x1b[0m", [CLI_GOOD] = "\x1b[32m", [CLI_BAD] = "\x1b[31m",
        [CLI_WARN] = "\x1b[33m", [CLI_DIM] = "\x1b[2m",   [CLI_BOLD] = "\x1b[1m",
    };
    const char *no_color = getenv("NO_COLOR"); /* no-color.org: any value but the empty one */
    if ((no_color != NULL && no_color[0] != '\0') || !is_capable_terminal(stream)) {
        return "";
    }
    return SEQUENCES[style];
}

/* What the environment says. The program's own locale stays "C": which bytes of a peer, or of a
 * log, are letters does not depend on where it runs. */
static bool takes_utf8(int terminal)
{
    if (!isatty(terminal)) {
        return true; /* a file */
    }
    locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    bool utf8 = locale != (locale_t)0 && strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
    if (locale != (locale_t)0) {
        freelocale(locale);
    }
    return utf8;
}

bool cli_shows_utf8(void)
{
    return takes_utf8(STDOUT_FILENO) && takes_utf8(STDERR_FILENO);
}

const char *cli_mark(enum cli_mark mark)
{
    static const struct {
        const char *utf8;
        const char *ascii;
    } MARKS[] = {
        [CLI_MARK_GOOD] = {"\xe2\x9c\x85", "OK"},
        [CLI_MARK_BAD] = {"\xe2\x9d\x8c", "FAIL"},
        [CLI_MARK_DONE] = {"\xf0\x9f\x8e\x89", ""},
        [CLI_MARK_WARN] = {"\xe2\x9a\xa0\xef\xb8\x8f", "WARN"},
        [CLI_MARK_ARROW] = {"\xe2\x86\x92", "->"},
    };
    return takes_utf8(STDOUT_FILENO) ? MARKS[mark].utf8 : MARKS[mark].ascii;
}

const char *cli_readable(char *text)
{
    if (takes_utf8(STDOUT_FILENO)) {
        text_make_readable(text);
    }
    return text;
}

bool cli_progress_wanted(void)
{
    return is_capable_terminal(stderr);
}

unsigned cli_columns(FILE *stream)
{
    struct winsize size;
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    return DEFAULT_COLUMNS;
}
