#include "role/input.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "role/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES (64 * 1024)

static volatile sig_atomic_t signalled;

static void on_signal(int number)
{
    signalled = number;
}

/* A FIFO without a writer is opened at once, and is not readable before there was one. */
int role_input_open(struct role_input *input, const char *path, uint64_t deadline_ns)
{
    const struct sigaction action = {.sa_handler = on_signal};
    *input = (struct role_input){.is_stdin = strcmp(path, "-") == 0, .deadline_ns = deadline_ns};
    input->fd = input->is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (input->fd < 0) {
        return -errno;
    }
    struct stat info;
    if (fstat(input->fd, &info) == 0 && S_ISREG(info.st_mode)) {
        input->deadline_ns = 0; /* it ends by itself */
    }
    signalled = 0;
    sigaction(SIGINT, &action, &input->old[0]);
    sigaction(SIGTERM, &action, &input->old[1]);
    return 0;
}

/* Waits for bytes, for the time limit, or for a signal, which would be missed if it came just
 * before. Returns whether there is something to read. */
static bool wait_for(struct role_input *input)
{
    struct pollfd ready = {.fd = input->fd, .events = POLLIN};
    uint64_t now_ns = clock_now_ns();
    uint64_t rest_ns = input->deadline_ns > now_ns ? input->deadline_ns - now_ns : 0;
    if (input->deadline_ns != 0 && rest_ns == 0) { /* who always writes is late, too */
        input->timed_out = true;
        return false;
    }
    const struct timespec rest = {.tv_sec = (time_t)(rest_ns / NS_PER_S),
                                  .tv_nsec = (long)(rest_ns % NS_PER_S)};
    sigset_t ends;
    sigset_t before;
    int count = -1;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, &before);
    if (signalled == 0) {
        count = ppoll(&ready, 1, input->deadline_ns != 0 ? &rest : NULL, &before);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    input->interrupted_by = signalled;
    input->timed_out = count == 0;
    return count > 0;
}

ssize_t role_input_read(struct role_input *input, void *bytes, size_t len)
{
    while (!input->timed_out && input->interrupted_by == 0) {
        if (!wait_for(input)) {
            continue; /* or another signal came */
        }
        ssize_t got = read(input->fd, bytes, len);
        if (got >= 0 || (errno != EINTR && errno != EAGAIN)) {
            return got >= 0 ? got : -errno;
        }
    }
    return 0;
}

void role_input_close(struct role_input *input)
{
    sigaction(SIGINT, &input->old[0], NULL);
    sigaction(SIGTERM, &input->old[1], NULL);
    if (!input->is_stdin) {
        close(input->fd);
    }
}

/* Returns whether it is known which file that is. */
static bool identify(const char *path, struct stat *ret)
{
    int rv = strcmp(path, "-") == 0 ? fstat(STDIN_FILENO, ret) : stat(path, ret);
    return rv == 0 && (S_ISREG(ret->st_mode) || S_ISFIFO(ret->st_mode));
}

static bool is_one(const char *path, const char *other)
{
    struct stat info;
    struct stat other_info;
    return strcmp(path, other) == 0 || (identify(path, &info) && identify(other, &other_info) &&
                                        file_is_same(&info, &other_info));
}

int role_input_refuse_twice(const char *command, const char *label, const char *const *paths,
                            size_t count)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (is_one(paths[j], paths[i])) {
                cli_error(command, "%s: %s and %s are one source, which counts once: name it once",
                          label, paths[j], paths[i]);
                return 1;
            }
        }
    }
    return 0;
}

/* Returns 0 at the end, a negative errno, or more than 0 where it is larger than that. */
static ssize_t read_to_end(struct role_input *input, size_t max_bytes, struct buf *bytes)
{
    ssize_t len;
    do {
        uint8_t *room = buf_reserve(bytes, READ_BYTES);
        len = room != NULL ? role_input_read(input, room, READ_BYTES) : -ENOMEM;
        buf_commit(bytes, len > 0 ? (size_t)len : 0);
    } while (len > 0 && bytes->len <= max_bytes);
    return len;
}

int role_input_read_all(const char *path, size_t max_bytes, struct buf *bytes, char *reason,
                        size_t reason_bytes)
{
    char most[32];
    struct role_input input;
    ssize_t rest = role_input_open(&input, path, 0);
    if (rest == 0) {
        rest = read_to_end(&input, max_bytes, bytes);
        role_input_close(&input);
    }
    if (input.interrupted_by != 0) {
        snprintf(reason, reason_bytes, "interrupted while it was read");
        return role_signals_exit_code(input.interrupted_by);
    }
    if (rest > 0) {
        snprintf(reason, reason_bytes, "is larger than %s",
                 text_format_size(most, sizeof(most), (double)max_bytes));
    } else if (rest < 0) {
        snprintf(reason, reason_bytes, "%s", strerror((int)-rest));
    }
    return rest == 0 ? 0 : EXIT_USAGE;
}
