/* getaddrinfo() on a few threads, which live while there is work.
 *
 * A job belongs to the queue or its thread; a lookup, with the handle that wakes the loop, to the
 * loop. Each knows the other until the job is done or the lookup is cancelled; `mutex` guards that
 * and everything here that is static. */
#include "net/lookup.h"

#include "base/list.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

struct job {
    struct list node;          /* in `queue`, else in no list */
    struct net_lookup *lookup; /* NULL: cancelled */
    char *host;                /* owned */
    bool done;
    int status;
    int error;             /* errno, with EAI_SYSTEM */
    struct addrinfo *list; /* owned */
};

struct net_lookup {
    uv_async_t async;
    struct job *job; /* NULL once given up or delivered */
    net_lookup_done_fn on_done;
    void *user;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct list queue = {&queue, &queue};
static int threads;
static bool has_ended; /* a thread has left the queue, and nobody has joined it: */
static pthread_t ended;
static bool is_exiting; /* whoever leaves the queue now is joined by nobody */

static void job_free(struct job *job)
{
    if (job->list != NULL) {
        freeaddrinfo(job->list);
    }
    free(job->host);
    free(job);
}

/* Wakes the loop, with the mutex held: so the handle cannot be closed meanwhile. */
static void finish(struct job *job, int status)
{
    job->status = status;
    job->done = true;
    if (job->lookup == NULL) {
        job_free(job);
    } else {
        uv_async_send(&job->lookup->async);
    }
}

/* Of the threads that have left the queue only the last is ever to be joined: each joins the one
 * before it. Called with the mutex held, leaves it free. */
static void become_last_ended(void)
{
    const pthread_t before = ended;
    const bool has_before = has_ended;

    ended = pthread_self();
    has_ended = !is_exiting;
    if (is_exiting) {
        pthread_detach(ended);
    }
    pthread_mutex_unlock(&mutex);
    if (has_before) {
        pthread_join(before, NULL);
    }
}

/* At exit, so that no thread is cut off while it gives back what getaddrinfo() holds for it. One
 * that still waits for a name server is not waited for. */
static void join_last_ended(void)
{
    pthread_t last;
    bool has_last;

    pthread_mutex_lock(&mutex);
    last = ended;
    has_last = has_ended;
    has_ended = false;
    is_exiting = true;
    pthread_mutex_unlock(&mutex);
    if (has_last) {
        pthread_join(last, NULL);
    }
}

static void *work(void *arg)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

    (void)arg;
    pthread_mutex_lock(&mutex);
    while (!list_empty(&queue)) {
        struct job *job = container_of(queue.next, struct job, node);
        int status;

        list_remove(&job->node);
        pthread_mutex_unlock(&mutex);
        status = getaddrinfo(job->host, NULL, &hints, &job->list);
        job->error = errno;
        pthread_mutex_lock(&mutex);
        finish(job, status);
    }
    threads--;
    become_last_ended();
    return NULL;
}

/* A thread that leaves all signals to the loops. Returns false when there can be none. */
static bool start_thread(void)
{
    pthread_t thread;
    sigset_t all;
    sigset_t before;
    int status;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    status = pthread_create(&thread, NULL, work, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status == 0;
}

static void submit(struct job *job)
{
    static bool is_joined_at_exit;

    pthread_mutex_lock(&mutex);
    if (!is_joined_at_exit) {
        is_joined_at_exit = atexit(join_last_ended) == 0;
    }
    list_append(&queue, &job->node);
    if (threads < NET_LOOKUP_THREADS && start_thread()) {
        threads++;
    }
    if (threads == 0) { /* nobody will ever take it */
        list_remove(&job->node);
        finish(job, EAI_AGAIN);
    }
    pthread_mutex_unlock(&mutex);
}

static void on_handle_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_async(uv_async_t *async)
{
    struct net_lookup *lookup = async->data;
    struct job *job = lookup->job;

    pthread_mutex_lock(&mutex); /* the thread has let go of the job behind this */
    pthread_mutex_unlock(&mutex);
    lookup->job = NULL;
    uv_close((uv_handle_t *)&lookup->async, on_handle_closed);
    errno = job->error;
    lookup->on_done(lookup->user, job->status, job->list);
    job_free(job);
}

struct net_lookup *net_lookup_start(uv_loop_t *loop, const char *host, net_lookup_done_fn on_done,
                                    void *user)
{
    struct net_lookup *lookup = mem_new(struct net_lookup);
    struct job *job = mem_new(struct job);

    list_init(&job->node);
    job->host = mem_strdup(host);
    job->lookup = lookup;
    lookup->job = job;
    lookup->on_done = on_done;
    lookup->user = user;
    uv_async_init(loop, &lookup->async, on_async);
    lookup->async.data = lookup;
    submit(job);
    return lookup;
}

void net_lookup_cancel(struct net_lookup *lookup)
{
    struct job *job = lookup->job;
    bool waiting;

    pthread_mutex_lock(&mutex);
    waiting = !list_empty(&job->node);
    list_remove(&job->node);
    job->lookup = NULL;
    if (waiting || job->done) {
        job_free(job);
    }
    pthread_mutex_unlock(&mutex);
    lookup->job = NULL;
    uv_close((uv_handle_t *)&lookup->async, on_handle_closed);
}
