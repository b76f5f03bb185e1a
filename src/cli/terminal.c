#include "cli/terminal.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_dumb(void)
{
    const char *term = getenv("TERM");
    return term != NULL && strcmp(term, "dumb") == 0;
}

const char *cli_style(FILE *stream, enum cli_style style)
{
    static const char *const sequences[] = {"\033[0m",  "\033[32m", "\033[31m",
                                            "\033[33m", "\033[2m",  "\033[1m"};
    const char *no_color = getenv("NO_COLOR");
    bool unwanted = (no_color != NULL && no_color[0] != '\0') || is_dumb();
    return unwanted || !isatty(fileno(stream)) ? "" : sequences[style];
}

const char *cli_mark(enum cli_mark mark)
{
    static const char *const pictures[] = {"✅", "❌", "🎉", "⚠️", "→"};
    static const char *const words[] = {"OK  ", "FAIL", "", "WARN", "->"};
    bool utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    return utf8 || !isatty(STDOUT_FILENO) ? pictures[mark] : words[mark];
}

bool cli_progress_wanted(void)
{
    return isatty(STDERR_FILENO) && !is_dumb();
}
