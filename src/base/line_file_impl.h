/* The insides of a file of lines; for the files line_file.c (the door) over line_writer.c (the
 * thread) alone. */
#ifndef GRPCROUTE_BASE_LINE_FILE_IMPL_H
#define GRPCROUTE_BASE_LINE_FILE_IMPL_H

#include "base/line_file.h"

#include <pthread.h>
#include <stdatomic.h>

#define LINE_FILE_POLL_MS 50 /* one wait for a full pipe */

struct line_file {
    char *path; /* owned */
    const char *name;
    struct log_source source;
    line_file_write_gap *write_gap; /* NULL: none */
    pthread_t thread;
    int fd;       /* the thread's */
    bool regular; /* likewise */

    pthread_mutex_t lock; /* of all below but the atomics */
    pthread_cond_t work;  /* for the thread */
    pthread_cond_t ended; /* for close() */
    struct line_ring ring;
    struct line_share newcomers[LINE_FILE_ORIGINS]; /* what they have waiting, by their origins */
    uint64_t basis;                                 /* of the places there; nobody else knows it */
    bool waits;                                     /* the thread, for work */
    bool dropping;                                  /* until half of the ring is free */
    bool telling;           /* the log was told that lines are dropped, and not yet how many */
    uint64_t telling_ms;    /* since when */
    uint64_t telling_lines; /* dropped since then */
    int telling_error;      /* of writes meanwhile; 0: none, the file just took too little */
    bool reopening;
    bool quitting;
    bool over;            /* the thread has nothing more to do, or cannot do it */
    int error;            /* of the last write or try to reopen; 0: good */
    uint64_t retry_at_ms; /* not to be written to before */
    uint64_t taken_ms;    /* when it last took something */
    atomic_uint_fast64_t written;
    atomic_uint_fast64_t dropped;
};

/* Lines that are in no file, and with them why; with the lock held. */
static inline void line_file_count_dropped(struct line_file *file, size_t lines)
{
    atomic_fetch_add(&file->dropped, lines);
    file->telling_lines += lines;
    file->telling_error = lines > 0 && file->error != 0 ? file->error : file->telling_error;
}

/* The thread. `arg` is the struct line_file. */
void *line_writer_run(void *arg);
/* A condition of CLOCK_MONOTONIC, for up to `ms`. */
void line_writer_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t ms);

/* What the log says: that lines are dropped from now on, as a write failed with `error`, or as the
 * file takes too little (0). */
void line_writer_tell_dropping(const struct line_file *file, int error);
/* ... and how many it were. */
void line_writer_tell_dropped(const struct line_file *file);

#endif
