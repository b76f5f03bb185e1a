/* Descriptors from other threads: each arrives once, or stays the giver's. */
#include "relay/inbox.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define GIVERS 4
#define EACH   100

struct scene {
    uv_loop_t loop;
    struct inbox inbox;
    size_t taken;
    size_t close_at; /* it is closed when so many were taken */
};

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0 || errno != EBADF;
}

static void on_wake(uv_async_t *handle)
{
    struct scene *scene = handle->data;
    int *fds;
    size_t count = inbox_take(&scene->inbox, &fds);
    for (size_t i = 0; i < count; i++) {
        assert_true(is_open(fds[i]));
        close(fds[i]);
    }
    free(fds);
    scene->taken += count;
    if (scene->taken >= scene->close_at) {
        inbox_close(&scene->inbox);
    }
}

static void scene_begin(struct scene *scene, size_t close_at)
{
    *scene = (struct scene){.close_at = close_at};
    assert_int_equal(uv_loop_init(&scene->loop), 0);
    inbox_init(&scene->inbox, &scene->loop, on_wake, scene);
}

static void scene_end(struct scene *scene)
{
    uv_run(&scene->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&scene->loop), 0);
    inbox_deinit(&scene->inbox);
}

/* Returns how many were not taken. */
static void *give_many(void *arg)
{
    struct inbox *inbox = arg;
    size_t left = 0;
    for (int i = 0; i < EACH; i++) {
        int fd = dup(STDERR_FILENO);
        if (fd >= 0 && !inbox_give(inbox, fd)) {
            close(fd);
            left++;
        }
        inbox_wake(inbox);
    }
    return (void *)(uintptr_t)left;
}

static size_t give_from_many_threads(struct scene *scene)
{
    pthread_t threads[GIVERS];
    size_t left = 0;
    for (int i = 0; i < GIVERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, give_many, &scene->inbox), 0);
    }
    uv_run(&scene->loop, UV_RUN_DEFAULT);
    for (int i = 0; i < GIVERS; i++) {
        void *part;
        pthread_join(threads[i], &part);
        left += (size_t)(uintptr_t)part;
    }
    return left;
}

static void all_that_is_given_arrives(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin(&scene, GIVERS * EACH);
    assert_int_equal(give_from_many_threads(&scene), 0);
    assert_int_equal(scene.taken, GIVERS * EACH);
    scene_end(&scene);
}

/* Whoever comes too late keeps it; what nobody took any more is closed. */
static void a_closed_inbox_takes_nothing(void **state)
{
    (void)state;
    struct scene scene;
    int before = dup(STDERR_FILENO);
    close(before);
    scene_begin(&scene, GIVERS * EACH / 2);
    size_t left = give_from_many_threads(&scene);
    assert_in_range(scene.taken + left, 1, GIVERS * EACH);
    scene_end(&scene);
    int after = dup(STDERR_FILENO); /* the lowest that is free: no descriptor stayed behind */
    close(after);
    assert_int_equal(after, before);
}

static void what_lies_in_it_is_closed_with_it(void **state)
{
    (void)state;
    struct scene scene;
    int fds[40];
    scene_begin(&scene, SIZE_MAX);
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        fds[i] = dup(STDERR_FILENO);
        assert_true(inbox_give(&scene.inbox, fds[i]));
    }
    inbox_close(&scene.inbox);
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        assert_false(is_open(fds[i]));
    }
    assert_false(inbox_give(&scene.inbox, fds[0]));
    inbox_wake(&scene.inbox);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_is_given_arrives),
        cmocka_unit_test(a_closed_inbox_takes_nothing),
        cmocka_unit_test(what_lies_in_it_is_closed_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
