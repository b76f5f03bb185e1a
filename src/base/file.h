/* A small file as a whole. */
#ifndef GRPCROUTE_BASE_FILE_H
#define GRPCROUTE_BASE_FILE_H

#include <stddef.h>

/* Reads a file, one byte more than `max_bytes` at most, by which a larger one is told. Returns 0
 * with `ret_bytes` (owned, ended by a NUL that does not count), or a positive errno. */
int file_read(const char *path, size_t max_bytes, char **ret_bytes, size_t *ret_len);

#endif
