/* A small file as a whole, and which file that is. */
#ifndef GRPCROUTE_BASE_FILE_H
#define GRPCROUTE_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* Reads a file, one byte more than `max_bytes` at most, by which a larger one is told. Returns 0
 * with `ret_bytes` (owned, ended by a NUL that does not count), or a positive errno. */
int file_read(const char *path, size_t max_bytes, char **ret_bytes, size_t *ret_len);

/* Whether both are the same file, whatever its names. */
bool file_is_same(const struct stat *one, const struct stat *other);
/* The same of two descriptors; false where one is none. */
bool file_is_same_fd(int one, int other);

#endif
