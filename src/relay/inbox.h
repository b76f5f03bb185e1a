/* What other threads bring to a worker: a word that there is something to look at, and connections
 * that were accepted for it.
 *
 * Its mutex is taken once per connection and never per message. */
#ifndef GRPCROUTE_RELAY_INBOX_H
#define GRPCROUTE_RELAY_INBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct inbox {
    uv_async_t wake;
    pthread_mutex_t mutex;
    /* Under the mutex: */
    bool closed;
    int *fds; /* owned, and so are the descriptors in it; as many as the process may have */
    size_t count;
    size_t capacity;
};

/* `on_wake` runs on the loop's thread, soon after each call of the two below. */
void inbox_init(struct inbox *inbox, uv_loop_t *loop, uv_async_cb on_wake, void *user);

/* ---- from any thread ---- */

void inbox_wake(struct inbox *inbox);
/* The descriptor is moved in. Returns false when the inbox is closed: it stays the caller's. */
bool inbox_give(struct inbox *inbox, int fd);

/* ---- on the worker's thread ---- */

/* Takes all descriptors there are, in their order; `*ret_fds` is for the caller to free. Returns
 * how many. */
size_t inbox_take(struct inbox *inbox, int **ret_fds);
/* Takes nothing more; what lies in it is closed. Its handle closes with the loop's next turn. */
void inbox_close(struct inbox *inbox);
void inbox_deinit(struct inbox *inbox);

#endif
