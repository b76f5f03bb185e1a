/* Columns of text for people: cells of a width, and long texts in lines of their own width. */
#ifndef GRPCROUTE_LIMITS_LAYOUT_H
#define GRPCROUTE_LIMITS_LAYOUT_H

#include <stddef.h>
#include <stdio.h>

/* No line is wider, but where a single word is. */
#define LIMITS_COLUMNS 116

/* Writes `text` and blanks up to `width` columns, and one blank at least. */
void limits_put_cell(FILE *out, const char *text, size_t width);

/* Writes `text`, escaped, as people read it, where a line has `at` columns already: what does not
 * fit goes into lines that begin there, too. Ends the line. */
void limits_put_rest(FILE *out, const char *text, size_t at);

#endif
