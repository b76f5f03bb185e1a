/* The queues of standard output and standard error, and the thread that empties them.
 *
 * Happy path: put() appends a line to its file's queue, the loop's flush wakes the thread, which
 * writes the lines of both files in the order in which they came. Having written it sleeps for a
 * moment, so that under load one write serves many turns and no loop pays for waking it.
 * Failure modes, all seen by poll() or write() and none of them by a loop: a file takes no bytes
 * (full pipe, stopped terminal): its lines wait, the other file's do not; when the queue is full
 * new lines are dropped, counted, and told as soon as half of it is free again. A file that fails
 * (ENOSPC, EPIPE, EBADF) is the same with a pause between two tries, and the other file says it
 * once. No thread can be had: the flush itself writes what is taken at once.
 *
 * A write never has more than PIPE_BUF bytes and follows a poll(): on a pipe that is not shared it
 * cannot block then, whatever its flags are, which we must not change, as other processes share
 * them. Where it blocks all the same, the lines wait, and at exit the thread is cancelled. */
#include "base/log_out.h"

#include "base/clock.h"
#include "base/log_sink.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WAKE_BYTES      ((size_t)32 * 1024) /* handed to the thread without a flush */
#define NAP_NS          1000000             /* between two looks at the queues, after a write */
#define BLOCKED_WAIT_MS 20   /* one wait for a full pipe; the other file waits as long at most */
#define RESTING_WAIT_S  1    /* one wait behind an error */
#define EXIT_MS         1000 /* for the last words, if nothing is taken */
#define DRAIN_ROUNDS    3    /* so many times its patience a drain lasts, if something is */

/* All of this is guarded by `lock`, but what is atomic. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_sink sinks[2] = {
    {.fd = STDOUT_FILENO, .name = "standard output", .other = &sinks[1]},
    {.fd = STDERR_FILENO, .name = "standard error", .other = &sinks[0]},
};
static uint64_t taken_bytes; /* by both files */
static atomic_bool unflushed;
static bool ends_when_unread;

static enum { NEVER_STARTED, NO_THREAD, HAS_THREAD, ENDED } writer;
static pthread_t thread;
static pthread_cond_t work;  /* for the thread: lines to write, or an end */
static pthread_cond_t drain; /* for log_out_drain(): nothing is left that can be written */
static bool thread_waits;
static bool quitting;
static unsigned drainers;
static bool writing;            /* somebody writes in place of the thread */
static bool given_up;           /* a drain saw no byte taken in all its time */
static uint64_t given_up_taken; /* ... at this many taken bytes */

/* ---- writing: by the thread or, where there is none, by whoever flushes ---------------------- */

/* Ends the program whose output nobody can read any more, if it wants that. */
static void end_if_unread(const struct log_sink *sink, int error)
{
    struct stat status;
    if (error == EPIPE && ends_when_unread && sink->fd == STDOUT_FILENO &&
        fstat(sink->fd, &status) == 0 && S_ISFIFO(status.st_mode)) {
        ends_when_unread = false;
        kill(getpid(), SIGTERM);
    }
}

/* Waits up to `wait_ms` for one of the two (`second` may be NULL), called without the lock.
 * Returns the one to write to, or NULL. A file that has failed counts as ready: write() says why.
 */
static struct log_sink *wait_ready(struct log_sink *first, struct log_sink *second, int wait_ms)
{
    struct pollfd fds[2] = {{.fd = first->fd, .events = POLLOUT},
                            {.fd = second != NULL ? second->fd : -1, .events = POLLOUT}};
    if (poll(fds, 2, wait_ms) <= 0) {
        return NULL;
    }
    if (fds[0].revents != 0) {
        return first;
    }
    return log_sink_same_file(first, second) ? NULL : second;
}

/* Here, and nowhere else, the thread may be cancelled. */
static ssize_t write_cancellable(int fd, const char *bytes, size_t len)
{
    int state;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
    ssize_t n = write(fd, bytes, len);
    int error = errno;
    pthread_setcancelstate(state, NULL);
    errno = error;
    return n;
}

/* Writes once, if there is something to write and a file takes it within `wait_ms`. Called and left
 * with the lock held, which is free meanwhile. Returns whether something was tried. */
static bool write_once(int wait_ms)
{
    char bytes[PIPE_BUF];
    struct log_sink *second;
    struct log_sink *first = log_sink_next(&sinks[0], &second);
    if (first == NULL) {
        return false;
    }
    int patience_ms = first->blocked_since_ms != 0 && first->error == 0 ? wait_ms : 0;
    pthread_mutex_unlock(&lock);
    struct log_sink *ready = wait_ready(first, second, patience_ms);
    pthread_mutex_lock(&lock);
    if (ready != first) {
        log_sink_blocked(first);
    }
    if (ready == NULL) {
        return wait_ms > 0;
    }
    /* Meanwhile lines may have come for both. */
    bool in_order = ready == first && log_sink_is_due(ready->other);
    size_t len = log_sink_copy(ready, in_order ? ready->other : NULL, bytes);
    pthread_mutex_unlock(&lock);
    ssize_t n = write_cancellable(ready->fd, bytes, len);
    int error = errno;
    pthread_mutex_lock(&lock);
    if (n >= 0) {
        taken_bytes += (size_t)n;
        log_sink_taken(ready, (size_t)n);
    } else {
        log_sink_failed(ready, error);
        end_if_unread(ready, error);
    }
    return true;
}

/* Where there is no thread. Called and left with the lock held. */
static void write_in_place(int wait_ms)
{
    if (!writing) {
        writing = true;
        while (write_once(0)) {
        }
        if (wait_ms > 0) {
            write_once(wait_ms);
        }
        writing = false;
    }
}

/* ---- thread ---------------------------------------------------------------------------------- */

/* Until a flush or, if lines wait behind an error, for a moment. */
static void wait_for_work(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += RESTING_WAIT_S;
    pthread_cond_broadcast(&drain);
    thread_waits = true;
    if (sinks[0].queue.len + sinks[1].queue.len > 0) {
        pthread_cond_timedwait(&work, &lock, &until);
    } else {
        pthread_cond_wait(&work, &lock);
    }
    thread_waits = false;
}

static void nap(void)
{
    pthread_mutex_unlock(&lock);
    nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
    pthread_mutex_lock(&lock);
}

static void *run(void *arg)
{
    bool wrote = false;
    (void)arg;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_mutex_lock(&lock);
    while (!quitting) {
        if (write_once(BLOCKED_WAIT_MS)) {
            wrote = true;
        } else if (wrote && drainers == 0) {
            wrote = false;
            nap();
        } else {
            wrote = false;
            wait_for_work();
        }
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* ---- start ----------------------------------------------------------------------------------- */

/* In the child of a fork() the parent's lines are the parent's, and there is no thread: children
 * here become another program at once, or log in place. */
static void on_fork_child(void)
{
    for (size_t i = 0; i < 2; i++) {
        buf_consume(&sinks[i].queue, sinks[i].queue.len);
        sinks[i] = (struct log_sink){.fd = sinks[i].fd,
                                     .name = sinks[i].name,
                                     .other = sinks[i].other,
                                     .queue = sinks[i].queue};
    }
    writer = ENDED;
    pthread_mutex_unlock(&lock);
}

static void on_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void on_fork_parent(void)
{
    pthread_mutex_unlock(&lock);
}

static void on_exit_of_program(void);

static void set_up(void)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&work, &attr);
    pthread_cond_init(&drain, &attr);
    pthread_condattr_destroy(&attr);
    pthread_atfork(on_fork, on_fork_parent, on_fork_child);
    atexit(on_exit_of_program);
    writer = NO_THREAD;
}

/* A thread that leaves all signals to the loops: SIGPIPE and SIGXFSZ become errors of write(). */
static void start_thread(void)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    writer = pthread_create(&thread, NULL, run, NULL) == 0 ? HAS_THREAD : NO_THREAD;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void wake_thread(void)
{
    if (writer == NO_THREAD) {
        start_thread(); /* where it failed, it may work now */
    }
    if (writer == HAS_THREAD) {
        pthread_cond_signal(&work);
    } else {
        write_in_place(0);
    }
}

/* ---- end ------------------------------------------------------------------------------------- */

/* Everything that can be written is. */
static bool is_drained(void)
{
    return !log_sink_is_due(&sinks[0]) && !log_sink_is_due(&sinks[1]) &&
           (thread_waits || writer != HAS_THREAD);
}

/* Lets the thread work for up to `wait_ms`; where there is none, works itself. */
static void let_work(unsigned wait_ms)
{
    if (writer != HAS_THREAD) {
        write_in_place((int)wait_ms);
        return;
    }
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    until.tv_sec += (time_t)(wait_ms / 1000) + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_signal(&work);
    pthread_cond_timedwait(&drain, &lock, &until);
}

/* Waits until all is out, nothing was taken for `patience_ms`, or a slow reader has had its time.
 */
static void drain_locked(unsigned patience_ms)
{
    const uint64_t start_ms = clock_now_ms();
    uint64_t moved_ms = start_ms;
    uint64_t taken = taken_bytes;
    uint64_t now_ms = start_ms;
    while (!is_drained() && now_ms - moved_ms < patience_ms &&
           now_ms - start_ms < (uint64_t)DRAIN_ROUNDS * patience_ms) {
        let_work(BLOCKED_WAIT_MS);
        now_ms = clock_now_ms();
        if (taken_bytes != taken) {
            taken = taken_bytes;
            moved_ms = now_ms;
        }
    }
}

bool log_out_drain(unsigned patience_ms)
{
    pthread_mutex_lock(&lock);
    bool is_hopeless = given_up && given_up_taken == taken_bytes;
    sinks[0].retry_at_ms = 0; /* a last try */
    sinks[1].retry_at_ms = 0;
    if (sinks[0].queue.len + sinks[1].queue.len > 0) {
        wake_thread();
    }
    drainers++;
    drain_locked(is_hopeless ? BLOCKED_WAIT_MS : patience_ms);
    drainers--;
    bool is_empty = sinks[0].queue.len + sinks[1].queue.len == 0;
    given_up = !is_empty;
    given_up_taken = taken_bytes;
    pthread_mutex_unlock(&lock);
    return is_empty;
}

static void on_exit_of_program(void)
{
    bool all_out = log_out_drain(EXIT_MS);
    pthread_mutex_lock(&lock);
    bool had_thread = writer == HAS_THREAD;
    writer = ENDED;
    quitting = true;
    pthread_cond_signal(&work);
    pthread_mutex_unlock(&lock);
    if (had_thread) {
        if (!all_out) {
            pthread_cancel(thread);
        }
        pthread_join(thread, NULL);
    }
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < 2 && !all_out; i++) {
        if (sinks[i].queue.len > 0 && sinks[i].other->queue.len == 0) {
            log_sink_give_up(&sinks[i]);
            write_in_place(0);
        }
    }
    pthread_mutex_unlock(&lock);
}

/* ---- the door -------------------------------------------------------------------------------- */

void log_out_put(enum log_level level, const struct log_source *source, const char *event,
                 const struct log_pair *pairs, const char *message)
{
    struct log_sink *sink = &sinks[level >= LOG_WARN];
    pthread_mutex_lock(&lock);
    if (writer == NEVER_STARTED) {
        set_up();
    }
    if (log_sink_put(sink, level, source, event, pairs, message)) {
        atomic_store_explicit(&unflushed, true, memory_order_relaxed);
        if (level >= LOG_WARN || sink->queue.len >= WAKE_BYTES) {
            wake_thread();
        }
    }
    pthread_mutex_unlock(&lock);
}

void log_out_flush(void)
{
    if (!atomic_load_explicit(&unflushed, memory_order_relaxed)) {
        return;
    }
    pthread_mutex_lock(&lock);
    atomic_store_explicit(&unflushed, false, memory_order_relaxed);
    wake_thread();
    pthread_mutex_unlock(&lock);
}

uint64_t log_out_dropped(void)
{
    return log_sink_dropped();
}

void log_out_end_when_unread(void)
{
    pthread_mutex_lock(&lock);
    ends_when_unread = true;
    pthread_mutex_unlock(&lock);
}
