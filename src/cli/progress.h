/* One live line on the terminal while something takes its time; nothing where standard error is
 * none. */
#ifndef GRPCROUTE_CLI_PROGRESS_H
#define GRPCROUTE_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* What is over sooner needs no line. */
#define CLI_PROGRESS_AFTER_MS 1000

struct cli_progress {
    int fd; /* owned; -1: no line is drawn */
    bool drawn;
    uint64_t started_ms;
};

/* Begins now. */
void cli_progress_begin(struct cli_progress *progress);

/* Whether it is time for a line: what it says need not be found out otherwise. */
bool cli_progress_due(const struct cli_progress *progress);

/* Draws the line, in place of the one before; printable ASCII, cut to the terminal's width.
 * Never waits: a terminal that takes nothing misses it. */
void cli_progress_show(struct cli_progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Wipes the line before something else is printed. */
void cli_progress_wipe(struct cli_progress *progress);
/* The same at the end. */
void cli_progress_end(struct cli_progress *progress);

#endif
