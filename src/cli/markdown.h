/* Markdown as the job pages of CI servers show it (GitHub's and GitLab's). */
#ifndef GRPCROUTE_CLI_MARKDOWN_H
#define GRPCROUTE_CLI_MARKDOWN_H

#include <stdio.h>

/* Text that may hold anything, for a paragraph or a cell: nothing in it is markup, and it is one
 * line. Escaped UTF-8 becomes readable. */
void cli_markdown_text(FILE *out, const char *text);

/* A heading and the head of a table; `columns` ends with NULL. */
void cli_markdown_table(FILE *out, const char *heading, const char *const *columns);
/* A row: as many cells, which end with NULL. */
void cli_markdown_row(FILE *out, const char *const *cells);

#endif
