#include "role/signals.h"

#include "base/mem.h"

#include <assert.h>
#include <signal.h>

static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};

static void on_signal(uv_signal_t *handle, int number)
{
    struct role_signals *signals = handle->data;
    if (number == SIGHUP && signals->on_hangup != NULL) {
        signals->on_hangup(signals->user);
        return;
    }
    bool again = signals->end_seen;
    signals->end_seen = true;
    signals->on_end(signals->user, number, again);
}

static_assert(ARRAY_SIZE(numbers) == ARRAY_SIZE(((struct role_signals *)NULL)->handles),
              "a handle for each");

/* As under nohup. */
static bool is_ignored(int number)
{
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

void role_signals_start(struct role_signals *signals, struct net_loop *loop,
                        void (*on_end)(void *user, int number, bool again),
                        void (*on_hangup)(void *user), void *user)
{
    *signals =
        (struct role_signals){.on_end = on_end, .on_hangup = on_hangup, .user = user, .open = true};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        uv_signal_init(&loop->uv, &signals->handles[i]);
        signals->handles[i].data = signals;
        if (numbers[i] != SIGHUP || on_hangup != NULL || !is_ignored(SIGHUP)) {
            uv_signal_start(&signals->handles[i], on_signal, numbers[i]);
        }
    }
}

void role_signals_close(struct role_signals *signals)
{
    if (!signals->open) {
        return;
    }
    signals->open = false;
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        uv_close((uv_handle_t *)&signals->handles[i], NULL);
    }
}

void role_signals_unref(struct role_signals *signals)
{
    for (size_t i = 0; i < ARRAY_SIZE(numbers) && signals->open; i++) {
        uv_unref((uv_handle_t *)&signals->handles[i]);
    }
}

/* libuv gives a signal its default effect back, so it is kept waiting from before that on. */
void role_signals_end(struct role_signals *signals)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    role_signals_close(signals);
}

int role_signals_exit_code(int number)
{
    return 128 + number;
}
