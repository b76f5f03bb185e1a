#include "base/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int file_read(const char *path, size_t max_bytes, char **ret_bytes, size_t *ret_len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    char *bytes = mem_calloc(1, max_bytes + 2);
    size_t len = 0;
    ssize_t got;
    while ((got = read(fd, bytes + len, max_bytes + 1 - len)) > 0) {
        len += (size_t)got;
    }
    int error = errno;
    close(fd);
    if (got < 0) {
        free(bytes);
        return error;
    }
    *ret_bytes = bytes;
    *ret_len = len;
    return 0;
}
