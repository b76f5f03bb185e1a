/* Files of lines: how they begin and end, and how a line gets in. */
#include "base/line_file_impl.h"

#include "base/clock.h"
#include "base/mem.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE_MS 1000 /* at the end, with a file that takes nothing */
#define CLOSE_MS    5000 /* ... with a slow one */
#define CANCEL_S    1    /* ... where the thread cannot be woken: a disk that hangs */

/* ---- begin ----------------------------------------------------------------------------------- */

/* A thread that leaves all signals to the loops: SIGPIPE and SIGXFSZ become errors of write(). */
static int start_thread(struct line_file *file)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&file->thread, NULL, line_writer_run, file);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

static void init_conditions(struct line_file *file)
{
    pthread_condattr_t attr;
    pthread_mutex_init(&file->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&file->work, &attr);
    pthread_cond_init(&file->ended, &attr);
    pthread_condattr_destroy(&attr);
}

static void free_file(struct line_file *file)
{
    append_close(file->fd);
    pthread_cond_destroy(&file->work);
    pthread_cond_destroy(&file->ended);
    pthread_mutex_destroy(&file->lock);
    line_ring_deinit(&file->ring);
    free(file->path);
    free(file);
}

struct line_file *line_file_open(const char *path, const char *name,
                                 const struct log_source *source, line_file_write_gap *write_gap,
                                 char ret_error[static APPEND_ERROR_BYTES])
{
    int fd = append_open(path, ret_error);
    if (fd < 0) {
        return NULL;
    }
    struct line_file *file = mem_new(struct line_file);
    file->path = mem_strdup(path);
    file->name = name;
    file->source = *source;
    file->write_gap = write_gap;
    file->fd = fd;
    file->regular = append_is_regular(fd);
    append_end_line(fd);
    line_ring_init(&file->ring, LINE_FILE_BYTES);
    init_conditions(file);
    int error = start_thread(file);
    if (error != 0) {
        snprintf(ret_error, APPEND_ERROR_BYTES, "%.400s: no thread: %s", path, strerror(error));
        free_file(file);
        return NULL;
    }
    return file;
}

/* ---- between --------------------------------------------------------------------------------- */

/* With the lock held. Whether there is room for a line of that length, for this writer. */
static bool is_welcome(const struct line_file *file, struct line_share *share, size_t len)
{
    const struct line_ring *ring = &file->ring;
    size_t free_bytes = ring->size - ring->len;
    bool roomy = !file->dropping && (share == NULL || free_bytes > ring->size / 4);
    return roomy ||
           (share != NULL && line_ring_waiting(ring, share) + len <= free_bytes / LINE_FILE_SHARES);
}

/* With the lock held. */
static bool take(struct line_file *file, struct line_share *share, const char *line, size_t len)
{
    if (!is_welcome(file, share, len) || !line_ring_put(&file->ring, line, len)) {
        return false;
    }
    if (share != NULL) {
        line_ring_note(&file->ring, share, len);
    }
    return true;
}

/* With the lock held. Returns whether the log is to be told. */
static bool lose(struct line_file *file)
{
    bool begins = !file->telling;
    file->telling_ms = begins ? clock_now_ms() : file->telling_ms;
    file->telling = true;
    file->dropping = true;
    line_file_count_dropped(file, 1);
    return begins;
}

void line_file_put(struct line_file *file, struct line_share *share, const char *line, size_t len)
{
    assert(len <= LINE_FILE_LINE_BYTES);
    pthread_mutex_lock(&file->lock);
    bool begins = !take(file, share, line, len) && lose(file);
    int error = file->error;
    if (file->waits) {
        pthread_cond_signal(&file->work);
    }
    pthread_mutex_unlock(&file->lock);
    if (begins) {
        line_writer_tell_dropping(file, error);
    }
}

void line_file_reopen(struct line_file *file)
{
    if (strcmp(file->path, "-") != 0) {
        pthread_mutex_lock(&file->lock);
        file->reopening = true;
        pthread_cond_signal(&file->work);
        pthread_mutex_unlock(&file->lock);
    }
}

uint64_t line_file_written(const struct line_file *file)
{
    return atomic_load_explicit(&file->written, memory_order_relaxed);
}

uint64_t line_file_dropped(const struct line_file *file)
{
    return atomic_load_explicit(&file->dropped, memory_order_relaxed);
}

/* ---- end ------------------------------------------------------------------------------------- */

/* Returns whether the thread has ended by itself. */
static bool finish(struct line_file *file)
{
    const uint64_t start_ms = clock_now_ms();
    uint64_t now_ms = start_ms;
    pthread_mutex_lock(&file->lock);
    file->quitting = true;
    file->retry_at_ms = 0; /* a last try */
    file->taken_ms = start_ms;
    pthread_cond_signal(&file->work);
    while (!file->over && now_ms - file->taken_ms < PATIENCE_MS && now_ms - start_ms < CLOSE_MS) {
        line_writer_wait(&file->ended, &file->lock, LINE_FILE_POLL_MS);
        now_ms = clock_now_ms();
    }
    bool over = file->over;
    file->over = true;
    pthread_mutex_unlock(&file->lock);
    return over;
}

/* Returns whether the thread has ended. */
static bool cancel(struct line_file *file)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CANCEL_S;
    pthread_cancel(file->thread);
    return pthread_timedjoin_np(file->thread, NULL, &until) == 0;
}

void line_file_close(struct line_file *file)
{
    if (file == NULL) {
        return;
    }
    bool over = finish(file);
    bool gone = over ? pthread_join(file->thread, NULL) == 0 : cancel(file);
    pthread_mutex_lock(&file->lock);
    line_file_count_dropped(file, line_ring_lines(&file->ring, file->ring.len));
    pthread_mutex_unlock(&file->lock);
    if (file->telling_lines > 0) {
        line_writer_tell_dropped(file);
    }
    if (gone) { /* else what it may still touch stays; the end of the process takes it along */
        free_file(file);
    }
}
