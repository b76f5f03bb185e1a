/* Files of lines: how they begin and end, and how a line gets in. */
#include "base/line_file_impl.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/random.h"

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
    file->basis = random_below(UINT64_MAX);
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

/* With the lock held. */
static struct line_share *newcomers_from(struct line_file *file, uint64_t origin)
{
    return &file->newcomers[hash_number(file->basis ^ origin) % LINE_FILE_ORIGINS];
}

/* With the lock held. Whether an author with this share gets so much of what is free. */
static bool has_left(const struct line_ring *ring, struct line_share *share, size_t len,
                     size_t parts)
{
    return line_ring_waiting(ring, share) + len <= (ring->size - ring->len) / parts;
}

/* With the lock held. Whether there is room for whoever asks. */
static bool is_roomy(const struct line_file *file)
{
    const struct line_ring *ring = &file->ring;
    return !file->dropping && ring->size - ring->len > ring->size / 4;
}

/* With the lock held. */
static bool take_of(struct line_file *file, struct line_author *author, const char *line,
                    size_t len)
{
    struct line_ring *ring = &file->ring;
    struct line_share *newcomers = NULL;
    if (is_roomy(file)) {
        author->is_known = true;
    } else {
        newcomers = author->is_known ? NULL : newcomers_from(file, author->origin);
        if (!has_left(ring, &author->share, len, LINE_FILE_SHARES) ||
            (newcomers != NULL && !has_left(ring, newcomers, len, LINE_FILE_NEWCOMERS))) {
            return false;
        }
    }
    if (!line_ring_put(ring, line, len)) {
        return false;
    }
    line_ring_note(ring, &author->share, len);
    if (newcomers != NULL) {
        line_ring_note(ring, newcomers, len);
    }
    return true;
}

/* With the lock held. */
static bool take(struct line_file *file, struct line_author *author, const char *line, size_t len)
{
    return author != NULL ? take_of(file, author, line, len)
                          : !file->dropping && line_ring_put(&file->ring, line, len);
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

void line_file_put(struct line_file *file, struct line_author *author, const char *line, size_t len)
{
    assert(len <= LINE_FILE_LINE_BYTES);
    pthread_mutex_lock(&file->lock);
    bool begins = !take(file, author, line, len) && lose(file);
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
