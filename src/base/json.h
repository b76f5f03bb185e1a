/* Writing JSON strings (RFC 8259 section 7) in pure ASCII. */
#ifndef GRPCROUTE_BASE_JSON_H
#define GRPCROUTE_BASE_JSON_H

#include "base/buf.h"

#include <stddef.h>

/* Appends `len` bytes as a quoted JSON string. Characters outside printable ASCII become \uXXXX, so
 * the line is safe on a terminal; a byte that is not UTF-8 becomes U+FFFD.
 * Returns 0 or -ENOMEM; then a part may have been appended. */
int json_append_string(struct buf *out, const char *bytes, size_t len);

#endif
