/* What the terminal can show: colours, marks, width. */
#ifndef GRPCROUTE_CLI_TERMINAL_H
#define GRPCROUTE_CLI_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

enum cli_style { CLI_PLAIN, CLI_GOOD, CLI_BAD, CLI_WARN, CLI_DIM, CLI_BOLD };

/* The escape sequence that begins a style, or "" when `stream` is not a terminal, NO_COLOR is set
 * and not empty, or TERM is "dumb" or missing; CLI_PLAIN ends every style. */
const char *cli_style(FILE *stream, enum cli_style style);

/* The marks of the contract ("✅", "❌", "🎉", "⚠️", "→") in files and pipes and on
 * terminals whose locale is UTF-8; on other terminals ASCII words ("OK", "FAIL", "", "WARN", "->").
 */
enum cli_mark { CLI_MARK_GOOD, CLI_MARK_BAD, CLI_MARK_DONE, CLI_MARK_WARN, CLI_MARK_ARROW };
const char *cli_mark(enum cli_mark mark);

/* Whether UTF-8 can be shown on both outputs, wherever they go. */
bool cli_shows_utf8(void);

/* text_make_readable() where standard output can show it. Returns `text`. */
const char *cli_readable(char *text);

/* True when progress may be drawn on standard error. */
bool cli_progress_wanted(void);

/* The width of the terminal behind `stream` in columns; 80 when it is none. */
unsigned cli_columns(FILE *stream);

#endif
