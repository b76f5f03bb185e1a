/* The terminal is opened a second time: O_NONBLOCK belongs to what open() gave, and that of
 * standard error is shared with the shell, which would be surprised. */
#include "cli/progress.h"

#include "base/clock.h"
#include "cli/terminal.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES 512
#define WIPE       "\r\x1b[K"

static int open_terminal(void)
{
    const int flags = O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
    char name[128];
    int fd = ttyname_r(STDERR_FILENO, name, sizeof(name)) == 0 ? open(name, flags) : -1;
    return fd >= 0 ? fd : open("/dev/tty", flags); /* su leaves one that it does not give away */
}

void cli_progress_begin(struct cli_progress *progress)
{
    *progress = (struct cli_progress){.fd = -1, .started_ms = clock_now_ms()};
    if (cli_progress_wanted()) {
        progress->fd = open_terminal();
    }
}

bool cli_progress_due(const struct cli_progress *progress)
{
    return progress->fd >= 0 && clock_now_ms() - progress->started_ms >= CLI_PROGRESS_AFTER_MS;
}

void cli_progress_show(struct cli_progress *progress, const char *format, ...)
{
    char text[LINE_BYTES];
    char line[LINE_BYTES + sizeof(WIPE)];
    va_list arguments;
    if (!cli_progress_due(progress)) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    unsigned columns = cli_columns(stderr);
    /* the last column stays free: some terminals begin a new line there */
    int len = snprintf(line, sizeof(line), WIPE "%.*s", (int)(columns > 1 ? columns - 1 : 1), text);
    progress->drawn = write(progress->fd, line, (size_t)len) > 0 || progress->drawn;
}

void cli_progress_wipe(struct cli_progress *progress)
{
    if (progress->drawn) {
        /* What takes nothing now keeps what it shows. */
        progress->drawn = write(progress->fd, WIPE, strlen(WIPE)) < 0;
    }
}

void cli_progress_end(struct cli_progress *progress)
{
    cli_progress_wipe(progress);
    if (progress->fd >= 0) {
        close(progress->fd);
        progress->fd = -1;
    }
}
