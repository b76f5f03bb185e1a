/* Lines of logs and of output that was written to a file: encodings, carriage returns and colours.
 * Pure. */
#ifndef GRPCROUTE_BASE_TEXT_LINE_H
#define GRPCROUTE_BASE_TEXT_LINE_H

#include "base/buf.h"

#include <stddef.h>

/* A whole file in UTF-8; the caller's to free. UTF-16 is known by its byte order mark or by its
 * zeros; anything else stays as it is. */
struct buf text_decode_all(const struct buf *bytes);

/* Makes a line readable in place: takes out a byte order mark, colours (ECMA-48 SGR and EL), the
 * zeros of UTF-16 that was appended to another file, and blanks at the end; shows other zeros as
 * 0x01, so that they hide nothing. Ends it with NUL, for which there must be room, and returns its
 * new length. */
size_t text_clean_line(char *line, size_t len);

#endif
