#include "base/append.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MODE 0640

static bool is_fifo(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISFIFO(status.st_mode);
}

int append_open(const char *path, char ret_error[static APPEND_ERROR_BYTES])
{
    if (strcmp(path, "-") == 0) {
        return STDOUT_FILENO;
    }
    const int flags = O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
    int fd = open(path, flags, FILE_MODE);
    if (fd < 0) {
        bool unread = errno == ENXIO && is_fifo(path);
        snprintf(ret_error, APPEND_ERROR_BYTES, "%.400s: %s", path,
                 unread ? "nobody reads this FIFO" : strerror(errno));
    }
    return fd;
}

void append_close(int fd)
{
    if (fd != STDOUT_FILENO) {
        close(fd);
    }
}

bool append_is_regular(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

/* The last byte of a file; a newline where there is none, or it cannot be known. The descriptor is
 * for writing alone: what it stands for is opened anew. */
static char last_byte(int fd)
{
    char path[64];
    char last = '\n';
    struct stat status;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int reader = open(path, O_RDONLY | O_CLOEXEC);
    if (reader < 0) {
        return last;
    }
    if (fstat(reader, &status) != 0 || status.st_size == 0 ||
        pread(reader, &last, 1, status.st_size - 1) != 1) {
        last = '\n';
    }
    close(reader);
    return last;
}

void append_end_line(int fd)
{
    if (append_is_regular(fd) && last_byte(fd) != '\n') {
        (void)!write(fd, "\n", 1); /* a disk that is full still is told of by the next write */
    }
}
