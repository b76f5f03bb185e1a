#include "base/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the size is not known beforehand. */
#define FIRST_BYTES 4096

/* How much is read at first: the file and one byte, by which its end is seen. */
static size_t guess(int fd, size_t max_bytes)
{
    struct stat status;
    bool known = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size >= 0;
    size_t size = known ? (size_t)status.st_size : FIRST_BYTES;
    return (size < max_bytes ? size : max_bytes) + 1;
}

/* Twice as much, up to the byte that says that the file is too large. */
static size_t more(size_t room, size_t max_bytes)
{
    return room <= max_bytes / 2 ? 2 * room : max_bytes + 1;
}

/* Returns 0 or errno; `bytes` may move. */
static int read_all(int fd, size_t max_bytes, char **bytes, size_t *len)
{
    size_t room = guess(fd, max_bytes);
    ssize_t got;
    *len = 0;
    *bytes = mem_calloc(room + 1, 1);
    while ((got = read(fd, *bytes + *len, room - *len)) > 0) {
        *len += (size_t)got;
        if (*len == room && room <= max_bytes) {
            room = more(room, max_bytes);
            *bytes = mem_realloc(*bytes, room + 1);
        }
    }
    (*bytes)[*len] = '\0';
    return got < 0 ? errno : 0;
}

int file_read(const char *path, size_t max_bytes, char **ret_bytes, size_t *ret_len)
{
    char *bytes;
    size_t len;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    int error = read_all(fd, max_bytes, &bytes, &len);
    close(fd);
    if (error != 0) {
        free(bytes);
        return error;
    }
    *ret_bytes = bytes;
    *ret_len = len;
    return 0;
}

bool file_is_same(const struct stat *one, const struct stat *other)
{
    return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

bool file_is_same_fd(int one, int other)
{
    struct stat a;
    struct stat b;
    return fstat(one, &a) == 0 && fstat(other, &b) == 0 && file_is_same(&a, &b);
}
