/* Files that a command writes as a whole: results, reports, configurations. */
#ifndef GRPCROUTE_BASE_OUTFILE_H
#define GRPCROUTE_BASE_OUTFILE_H

#include <stddef.h>

/* What `path` may be: "-" is standard output. A regular file, also behind symbolic links, is
 * replaced as a whole: a reader sees the old or the new one, a failure leaves the old one, and a
 * link stays a link. What is no regular file (a device, a FIFO, a descriptor under /proc or
 * /dev/fd), and a file that no other can take the place of (a mount, a folder that may not be
 * written), is written through. What standard output or error go to is written by them.
 *
 * All return 0 or a negative errno. */
int outfile_write(const char *path, const char *bytes, size_t len);

/* Whether it could be written, as far as that is known before; changes nothing. */
int outfile_check(const char *path);

/* Removes a regular file, so that nobody takes it for a newer one; there need not be any. */
int outfile_discard(const char *path);

#endif
