#include "relay/inbox.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void inbox_init(struct inbox *inbox, uv_loop_t *loop, uv_async_cb on_wake, void *user)
{
    memset(inbox, 0, sizeof(*inbox));
    pthread_mutex_init(&inbox->mutex, NULL);
    uv_async_init(loop, &inbox->wake, on_wake);
    inbox->wake.data = user;
}

/* Sent under the mutex, so that none is to a handle that is closed. */
void inbox_wake(struct inbox *inbox)
{
    pthread_mutex_lock(&inbox->mutex);
    if (!inbox->closed) {
        uv_async_send(&inbox->wake);
    }
    pthread_mutex_unlock(&inbox->mutex);
}

static void append(struct inbox *inbox, int fd)
{
    if (inbox->count == inbox->capacity) {
        inbox->capacity = inbox->capacity > 0 ? 2 * inbox->capacity : 16;
        inbox->fds = mem_realloc(inbox->fds, inbox->capacity * sizeof(*inbox->fds));
    }
    inbox->fds[inbox->count++] = fd;
}

bool inbox_give(struct inbox *inbox, int fd)
{
    pthread_mutex_lock(&inbox->mutex);
    bool taken = !inbox->closed;
    if (taken) {
        append(inbox, fd);
        uv_async_send(&inbox->wake);
    }
    pthread_mutex_unlock(&inbox->mutex);
    return taken;
}

size_t inbox_take(struct inbox *inbox, int **ret_fds)
{
    pthread_mutex_lock(&inbox->mutex);
    size_t count = inbox->count;
    *ret_fds = inbox->fds;
    inbox->fds = NULL;
    inbox->count = 0;
    inbox->capacity = 0;
    pthread_mutex_unlock(&inbox->mutex);
    return count;
}

void inbox_close(struct inbox *inbox)
{
    int *fds;
    pthread_mutex_lock(&inbox->mutex);
    inbox->closed = true;
    pthread_mutex_unlock(&inbox->mutex);
    size_t count = inbox_take(inbox, &fds);
    for (size_t i = 0; i < count; i++) {
        close(fds[i]);
    }
    free(fds);
    uv_close((uv_handle_t *)&inbox->wake, NULL);
}

void inbox_deinit(struct inbox *inbox)
{
    pthread_mutex_destroy(&inbox->mutex);
}
