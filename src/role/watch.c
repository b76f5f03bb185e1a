#include "role/watch.h"

#include "base/mem.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

struct role_watch {
    struct net_loop *loop;
    void (*on_change)(void *user);
    void *user;
    uv_timer_t rest;
    uv_fs_poll_t files[ROLE_WATCH_FILES_MAX];
    size_t file_count;
    size_t open_handles;
};

static void on_rested(uv_timer_t *timer)
{
    struct role_watch *watch = timer->data;
    watch->on_change(watch->user);
}

/* Also when it is gone, or cannot be looked at. */
static void on_file(uv_fs_poll_t *file, int status, const uv_stat_t *before, const uv_stat_t *now)
{
    struct role_watch *watch = file->data;
    (void)status;
    (void)before;
    (void)now;
    uv_timer_start(&watch->rest, on_rested, ROLE_REST_MS, 0);
}

struct role_watch *role_watch_start(struct net_loop *loop, void (*on_change)(void *user),
                                    void *user)
{
    struct role_watch *watch = mem_new(struct role_watch);
    watch->loop = loop;
    watch->on_change = on_change;
    watch->user = user;
    watch->open_handles = 1;
    uv_timer_init(&loop->uv, &watch->rest);
    uv_unref((uv_handle_t *)&watch->rest);
    watch->rest.data = watch;
    return watch;
}

/* libuv starts threads for it, which inherit what is blocked: signals are for this one. */
static void start_without_signals(uv_fs_poll_t *file, const char *path)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    uv_fs_poll_start(file, on_file, path, ROLE_WATCH_MS);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void role_watch_add(struct role_watch *watch, const char *path)
{
    struct stat status;
    if (path == NULL || watch->file_count == ROLE_WATCH_FILES_MAX || stat(path, &status) != 0 ||
        !S_ISREG(status.st_mode)) {
        return;
    }
    uv_fs_poll_t *file = &watch->files[watch->file_count++];
    uv_fs_poll_init(&watch->loop->uv, file);
    uv_unref((uv_handle_t *)file);
    file->data = watch;
    start_without_signals(file, path);
    watch->open_handles++;
}

static void on_closed(uv_handle_t *handle)
{
    struct role_watch *watch = handle->data;
    if (--watch->open_handles == 0) {
        free(watch);
    }
}

void role_watch_stop(struct role_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    uv_close((uv_handle_t *)&watch->rest, on_closed);
    for (size_t i = 0; i < watch->file_count; i++) {
        uv_close((uv_handle_t *)&watch->files[i], on_closed);
    }
}
