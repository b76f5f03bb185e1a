/* Files that are appended to for long. */
#ifndef GRPCROUTE_BASE_APPEND_H
#define GRPCROUTE_BASE_APPEND_H

#include <stdbool.h>

#define APPEND_ERROR_BYTES 512

/* Opens `path` ("-": standard output); one that is made has mode 0640. A FIFO is not waited for.
 * Returns a descriptor, or -1 with a line in `ret_error` that names the file and the cause. */
int append_open(const char *path, char ret_error[static APPEND_ERROR_BYTES]);

/* Closes what append_open() returned. */
void append_close(int fd);

/* Whether a regular file is behind it, which takes any number of bytes at once. */
bool append_is_regular(int fd);

/* Where a regular file ends in the middle of a line, as after a full disk or a crash, that line is
 * ended, so that what follows is one of its own. */
void append_end_line(int fd);

#endif
