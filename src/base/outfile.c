#include "base/outfile.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel follows */
#define SUFFIX    ".XXXXXX"

enum kind {
    STANDARD_OUTPUT,
    STANDARD_ERROR,
    THROUGH, /* opened and written */
    REPLACED,
};

struct target {
    enum kind kind;
    char path[PATH_MAX]; /* REPLACED: of the file itself, behind all links */
};

/* ---- what stands there ----------------------------------------------------------------------- */

static bool is_open_as(int fd, const struct stat *file)
{
    struct stat own;
    return fstat(fd, &own) == 0 && file_is_same(&own, file);
}

/* A link of /proc names a descriptor, and what it shows is not always a path. */
static bool is_descriptor(const char *link)
{
    struct statfs system;
    int fd = open(link, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    bool yes = fd >= 0 && fstatfs(fd, &system) == 0 && system.f_type == PROC_SUPER_MAGIC;
    if (fd >= 0) {
        close(fd);
    }
    return yes;
}

/* Puts what the link at `path` names in its place. */
static int follow_once(char path[static PATH_MAX])
{
    char to[PATH_MAX];
    char *slash = strrchr(path, '/');
    ssize_t len = readlink(path, to, sizeof(to) - 1);
    if (len < 0) {
        return -errno;
    }
    to[len] = '\0';
    size_t keep = to[0] != '/' && slash != NULL ? (size_t)(slash + 1 - path) : 0;
    if (keep + (size_t)len >= PATH_MAX) {
        return -ENAMETOOLONG;
    }
    memcpy(path + keep, to, (size_t)len + 1);
    return 0;
}

/* The file itself, which need not be there yet. */
static int follow(struct target *target)
{
    struct stat link;
    for (int i = 0; i < LINKS_MAX; i++) {
        if (lstat(target->path, &link) != 0 || !S_ISLNK(link.st_mode)) {
            return 0;
        }
        if (is_descriptor(target->path)) {
            target->kind = THROUGH;
            return 0;
        }
        int rv = follow_once(target->path);
        if (rv != 0) {
            return rv;
        }
    }
    return -ELOOP;
}

static int find_target(const char *path, struct target *ret)
{
    struct stat file;
    size_t len = strlen(path);
    *ret = (struct target){.kind = REPLACED};
    if (len >= PATH_MAX - sizeof(SUFFIX)) {
        return -ENAMETOOLONG;
    }
    memcpy(ret->path, path, len + 1);
    if (strcmp(path, "-") == 0) {
        ret->kind = STANDARD_OUTPUT;
    } else if (stat(path, &file) != 0) {
        return errno == ENOENT ? follow(ret) : -errno;
    } else if (S_ISDIR(file.st_mode)) {
        return -EISDIR;
    } else if (is_open_as(STDOUT_FILENO, &file)) {
        ret->kind = STANDARD_OUTPUT;
    } else if (is_open_as(STDERR_FILENO, &file)) {
        ret->kind = STANDARD_ERROR;
    } else if (!S_ISREG(file.st_mode)) {
        ret->kind = THROUGH;
    } else {
        return follow(ret);
    }
    return 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* A FIFO whose reader has gone is an error, and no reason to die. */
static int put_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t put = write(fd, bytes, len);
        if (put < 0 && errno != EINTR) {
            return -errno;
        }
        bytes += put > 0 ? put : 0;
        len -= put > 0 ? (size_t)put : 0;
    }
    return 0;
}

static int put_and_close(int fd, const char *bytes, size_t len)
{
    void (*on_pipe)(int) = signal(SIGPIPE, SIG_IGN);
    int rv = put_all(fd, bytes, len);
    signal(SIGPIPE, on_pipe);
    return close(fd) != 0 && rv == 0 ? -errno : rv;
}

/* What fails here is told by who called, and not once more for the stream. */
static int write_stream(FILE *stream, const char *bytes, size_t len)
{
    bool failed_before = ferror(stream) != 0;
    errno = 0;
    bool failed = fwrite(bytes, 1, len, stream) != len;
    failed = fflush(stream) != 0 || failed;
    int error = errno != 0 ? errno : EIO;
    if (failed && !failed_before) {
        clearerr(stream);
    }
    return failed ? -error : 0;
}

static int write_through(const char *path, const char *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_NOCTTY | O_CLOEXEC);
    return fd < 0 ? -errno : put_and_close(fd, bytes, len);
}

/* A new file beside `path`, with the mode that it is to have. Returns its descriptor. */
static int open_beside(const char *path, char name[static PATH_MAX])
{
    struct stat old;
    mode_t mask = umask(0);
    umask(mask);
    mode_t mode = stat(path, &old) == 0 ? old.st_mode & 07777 : 0666 & ~mask;
    if (snprintf(name, PATH_MAX, "%s" SUFFIX, path) >= PATH_MAX) {
        return -ENAMETOOLONG;
    }
    int fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0 && fchmod(fd, mode) != 0) {
        int error = errno;
        close(fd);
        unlink(name);
        return -error;
    }
    return fd >= 0 ? fd : -errno;
}

/* Whether another file cannot take the place of one that may be written all the same. */
static bool must_stay(int error)
{
    return error == -EACCES || error == -EPERM || error == -EROFS || error == -EBUSY ||
           error == -EXDEV;
}

static int replace(const char *path, const char *bytes, size_t len)
{
    char name[PATH_MAX];
    int fd = open_beside(path, name);
    int rv = fd < 0 ? fd : put_and_close(fd, bytes, len);
    if (rv == 0 && rename(name, path) != 0) {
        rv = -errno;
    }
    if (rv != 0 && fd >= 0) {
        unlink(name);
    }
    return must_stay(rv) && access(path, W_OK) == 0 ? write_through(path, bytes, len) : rv;
}

int outfile_write(const char *path, const char *bytes, size_t len)
{
    struct target target;
    int rv = find_target(path, &target);
    if (rv != 0) {
        return rv;
    }
    switch (target.kind) {
    case STANDARD_OUTPUT:
        return write_stream(stdout, bytes, len);
    case STANDARD_ERROR:
        return write_stream(stderr, bytes, len);
    case THROUGH:
        return write_through(path, bytes, len);
    case REPLACED:
        return replace(target.path, bytes, len);
    }
    return -EINVAL;
}

/* ---- before ---------------------------------------------------------------------------------- */

/* To open a FIFO would take its reader's turn, so only what may be done is asked. */
int outfile_check(const char *path)
{
    char name[PATH_MAX];
    struct target target;
    int rv = find_target(path, &target);
    if (rv != 0 || target.kind == STANDARD_OUTPUT || target.kind == STANDARD_ERROR) {
        return rv;
    }
    if (target.kind == THROUGH || access(target.path, W_OK) == 0) {
        return access(path, W_OK) == 0 ? 0 : -errno;
    }
    if (errno != ENOENT) {
        return -errno;
    }
    int fd = open_beside(target.path, name);
    if (fd < 0) {
        return fd;
    }
    close(fd);
    unlink(name);
    return 0;
}

int outfile_discard(const char *path)
{
    struct target target;
    int rv = find_target(path, &target);
    if (rv != 0 || target.kind != REPLACED || unlink(target.path) == 0 || errno == ENOENT) {
        return rv;
    }
    rv = -errno;
    return must_stay(rv) && truncate(target.path, 0) == 0 ? 0 : rv;
}
