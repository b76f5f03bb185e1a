#include "demo/tell.h"

#include "cli/result.h"
#include "cli/terminal.h"

#include <stdarg.h>
#include <stdio.h>

void demo_title(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("\n%s", cli_style(stdout, CLI_BOLD));
    vprintf(format, args);
    printf("%s\n", cli_style(stdout, CLI_PLAIN));
    va_end(args);
    cli_flush(stdout);
}

void demo_show_line(const char *line)
{
    printf("  %s%s%s\n", cli_style(stdout, CLI_DIM), line, cli_style(stdout, CLI_PLAIN));
    cli_flush(stdout);
}
