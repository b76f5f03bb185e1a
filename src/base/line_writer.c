/* The thread that writes lines to a file.
 *
 * Happy path: put() copies a line into the ring and wakes the thread where that waits -> the thread
 * writes all that is there, in one call for a regular file, and naps, so that one write serves many
 * lines and nobody pays for waking it.
 * Failure modes: the file takes no bytes (a full pipe): lines wait in the ring, then they are
 * dropped and counted. A write fails (ENOSPC, EPIPE): the same, said once, with a pause between two
 * tries. The file was renamed: reopen(); the rest of a line that was cut by an error is lost.
 *
 * On a pipe a write has at most PIPE_BUF bytes and follows a poll(): whatever the flags of the file
 * are, which others may share, it does not block then, and no line of another writer comes between.
 * A disk that hangs blocks the thread alone; at the end it is cancelled, or left alone. */
#include "base/line_file_impl.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define WRITE_BYTES ((size_t)256 * 1024) /* at once, to a regular file */
#define NAP_NS      5000000              /* between two writes */
#define RETRY_MS    1000                 /* between two tries behind an error */
#define TELL_MS     1000 /* what is told of dropped lines is at least so far apart */

/* ---- what the log says ----------------------------------------------------------------------- */

static void tell(const struct line_file *file, const char *event, const char *text)
{
    log_event(LOG_WARN, &file->source, event, LOG_PAIRS({"file", file->path}), "The %s %s %s",
              file->name, file->path, text);
}

void line_writer_tell_dropping(const struct line_file *file, int error)
{
    char text[160];
    snprintf(text, sizeof(text), "%s%s: lines are dropped",
             error != 0 ? "cannot be written: " : "takes bytes too slowly or not at all",
             error != 0 ? strerror(error) : "");
    tell(file, "lines_dropping", text);
}

void line_writer_tell_dropped(const struct line_file *file)
{
    char lines[24];
    const char *cause = file->telling_error != 0 ? strerror(file->telling_error)
                                                 : "it took bytes too slowly or not at all";
    snprintf(lines, sizeof(lines), "%" PRIu64, file->telling_lines);
    log_event(LOG_WARN, &file->source, "lines_dropped",
              LOG_PAIRS({"file", file->path}, {"lines", lines, true}, {"cause", cause}),
              "The %s %s has lost %s lines: %s", file->name, file->path, lines, cause);
}

static void tell_error(const struct line_file *file, const char *what, int error)
{
    char text[160];
    snprintf(text, sizeof(text), "cannot be %s: %s", what, strerror(error));
    tell(file, "lines_failed", text);
}

/* ---- thread ---------------------------------------------------------------------------------- */

/* A line does not go on in another file. */
static void lose_torn(struct line_file *file)
{
    if (line_ring_drop_torn(&file->ring)) {
        file->telling_ms = file->telling ? file->telling_ms : clock_now_ms();
        file->telling = true;
        line_file_count_dropped(file, 1);
    }
}

/* With the lock held, which is free meanwhile. */
static void reopen(struct line_file *file)
{
    char why[APPEND_ERROR_BYTES];
    file->reopening = false;
    pthread_mutex_unlock(&file->lock);
    int fd = append_open(file->path, why);
    if (fd < 0) {
        log_event(LOG_WARN, &file->source, "lines_failed", LOG_PAIRS({"file", file->path}),
                  "The %s cannot be opened anew and goes on where it was: %s", file->name, why);
    }
    pthread_mutex_lock(&file->lock);
    if (fd < 0) {
        return;
    }
    if (!file_is_same_fd(fd, file->fd)) {
        lose_torn(file);
        append_end_line(fd);
    }
    append_close(file->fd);
    file->fd = fd;
    file->regular = append_is_regular(fd);
    file->retry_at_ms = 0;
}

/* Here, and nowhere else, the thread may be cancelled. Returns bytes or a negative errno. */
static ssize_t write_cancellable(int fd, const struct iovec *parts, int count)
{
    int state;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
    ssize_t n = writev(fd, parts, count);
    int error = errno;
    pthread_setcancelstate(state, NULL);
    return n >= 0 ? n : -error;
}

static void note_written(struct line_file *file, size_t len)
{
    line_ring_drop(&file->ring, len);
    file->taken_ms = clock_now_ms();
    file->dropping = file->dropping && file->ring.len > file->ring.size / 2;
    if (file->error != 0) {
        file->error = 0;
        tell(file, "lines_written", "is written again");
    }
}

/* Somebody else who filled a pipe after our poll() is no error. */
static void note_failed(struct line_file *file, int error)
{
    if (error == EINTR || error == EAGAIN) {
        return;
    }
    file->retry_at_ms = clock_now_ms() + RETRY_MS;
    file->over = file->quitting; /* that was the last try */
    if (error != file->error) {
        file->error = error;
        tell_error(file, "written", error);
    }
}

/* With the lock held, which is free meanwhile. */
static void write_once(struct line_file *file)
{
    struct iovec parts[2];
    size_t len = line_ring_next(&file->ring, file->regular ? WRITE_BYTES : PIPE_BUF);
    int count = line_ring_parts(&file->ring, len, parts);
    struct pollfd pollfd = {.fd = file->fd, .events = POLLOUT};
    pthread_mutex_unlock(&file->lock);
    ssize_t n = -EAGAIN;
    if (poll(&pollfd, 1, LINE_FILE_POLL_MS) > 0) {
        n = write_cancellable(file->fd, parts, count);
    }
    if (n > 0) {
        atomic_fetch_add(&file->written, line_ring_lines(&file->ring, (size_t)n));
    }
    pthread_mutex_lock(&file->lock);
    if (n >= 0) {
        note_written(file, (size_t)n);
    } else {
        note_failed(file, (int)-n);
    }
}

static void nap(struct line_file *file)
{
    if (!file->quitting && file->ring.len < file->ring.size / 4) {
        pthread_mutex_unlock(&file->lock);
        nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
        pthread_mutex_lock(&file->lock);
    }
}

/* Behind the lines that came before the gap. Returns whether there was room. */
static bool put_gap(struct line_file *file)
{
    char line[LINE_FILE_LINE_BYTES];
    return file->write_gap == NULL ||
           line_ring_put(&file->ring, line, file->write_gap(line, file->telling_lines));
}

static void tell_when_over(struct line_file *file)
{
    bool due = file->quitting || clock_now_ms() - file->telling_ms >= TELL_MS;
    if (file->telling && !file->dropping && due && put_gap(file)) {
        line_writer_tell_dropped(file);
        file->telling = false;
        file->telling_lines = 0;
        file->telling_error = 0;
    }
}

void line_writer_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += (time_t)(ms / 1000) + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(cond, lock, &until);
}

static void wait_for_work(struct line_file *file)
{
    file->waits = file->ring.len == 0; /* else for time to pass */
    if (file->telling || file->ring.len > 0) {
        line_writer_wait(&file->work, &file->lock, TELL_MS);
    } else {
        pthread_cond_wait(&file->work, &file->lock);
    }
    file->waits = false;
}

void *line_writer_run(void *arg)
{
    struct line_file *file = arg;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_mutex_lock(&file->lock);
    while (!file->over) {
        tell_when_over(file);
        if (file->reopening) {
            reopen(file);
        } else if (file->ring.len > 0 && clock_now_ms() >= file->retry_at_ms) {
            write_once(file);
            nap(file);
        } else if (file->quitting) {
            file->over = true;
        } else {
            wait_for_work(file);
        }
    }
    pthread_cond_signal(&file->ended);
    pthread_mutex_unlock(&file->lock);
    return NULL;
}
