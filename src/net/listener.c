/* A listening socket.
 *
 * The socket is ours and watched by uv_poll, because libuv's own accept loop meets the descriptor
 * limit by accepting and dropping connections as fast as they come.
 *
 *   readable -> accept up to ACCEPT_BATCH -> net/handshakes.h -> on_stream
 *       |                                        |__ fails or is slow: on_refused
 *       |__ descriptors nearly used up: on_refused, no watching for NET_ACCEPT_PAUSE_MS
 *
 * The last descriptors are not for who connects: a proxy needs them for endpoints, names and its
 * admin port, and would take an endpoint that it cannot dial for a bad one. */
#include "net/listener.h"

#include "base/mem.h"
#include "net/handshakes.h"
#include "net/listen_socket.h"
#include "net/resolve.h"
#include "net/stream_impl.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connections taken from the system per turn before established ones are served again: they cost
 * some microseconds each, and are many where a fleet comes back at once. */
#define ACCEPT_BATCH 1024
/* Descriptors that are left for others: one in so many, and no more than that. */
#define RESERVE_SHARE 8
#define RESERVE_MAX   64

struct net_listener {
    struct net_loop *loop;
    struct net_listener_events events;
    void *user;
    int fd;       /* owned; -1: it has none */
    int fd_limit; /* the lowest free one is given: from this one on, the last are in use */
    uint16_t port;
    char name[NET_ADDRESS_TEXT_BYTES];
    uv_poll_t poll;
    uv_timer_t pause;
    struct net_handshakes handshakes;
    bool closing;
    int open_handles;
};

static void refuse(struct net_listener *listener, const struct net_error *why)
{
    if (listener->events.on_refused != NULL && !listener->closing) {
        listener->events.on_refused(listener->user, why);
    }
}

static void on_shaken(void *user, struct net_stream *stream, const struct net_error *why)
{
    struct net_listener *listener = user;

    if (stream == NULL) {
        refuse(listener, why);
    } else {
        listener->events.on_stream(listener->user, stream);
    }
}

/* --- accepting --- */

void net_listener_take(struct net_listener *listener, int fd)
{
    net_handshakes_add(&listener->handshakes, fd);
}

static void keep_or_give(struct net_listener *listener, int fd)
{
    if (listener->events.on_accepted != NULL) {
        listener->events.on_accepted(listener->user, fd);
    } else {
        net_listener_take(listener, fd);
    }
}

static void on_readable(uv_poll_t *poll, int status, int events);

static void on_pause_over(uv_timer_t *timer);

static void pause_accepting(struct net_listener *listener, int code)
{
    struct net_error error;

    uv_poll_stop(&listener->poll);
    uv_timer_start(&listener->pause, on_pause_over, NET_ACCEPT_PAUSE_MS, 0);
    net_error_set(&error, NET_FD_LIMIT,
                  "cannot accept connections on %s: %s: raise the limit (ulimit -n); trying again "
                  "in %ds",
                  listener->name, strerror(code), NET_ACCEPT_PAUSE_MS / 1000);
    refuse(listener, &error);
}

static void learn_fd_limit(struct net_listener *listener)
{
    struct rlimit files = {.rlim_cur = RLIM_INFINITY};

    getrlimit(RLIMIT_NOFILE, &files);
    rlim_t limit = files.rlim_cur < INT_MAX ? files.rlim_cur : INT_MAX;
    rlim_t reserve = limit / RESERVE_SHARE < RESERVE_MAX ? limit / RESERVE_SHARE : RESERVE_MAX;
    listener->fd_limit = (int)(limit - reserve);
}

static bool is_fd_left(const struct net_listener *listener)
{
    int fd = dup(listener->fd);

    if (fd < 0) {
        return false;
    }
    close(fd);
    return fd < listener->fd_limit;
}

static void on_pause_over(uv_timer_t *timer)
{
    struct net_listener *listener = timer->data;

    learn_fd_limit(listener);
    if (is_fd_left(listener)) {
        uv_poll_start(&listener->poll, UV_READABLE, on_readable);
    } else {
        pause_accepting(listener, EMFILE);
    }
}

static bool is_shortage(int code)
{
    return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

/* accept4() makes a socket and a file before it finds that nobody waits, and unmakes them: ten
 * times what it costs to ask. */
static bool is_somebody_waiting(const struct net_listener *listener)
{
    struct pollfd ask = {.fd = listener->fd, .events = POLLIN};

    return poll(&ask, 1, 0) == 1;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct net_listener *listener = poll->data;

    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPT_BATCH && !listener->closing; i++) {
        if (i > 0 && !is_somebody_waiting(listener)) {
            return;
        }
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            keep_or_give(listener, fd);
            if (fd >= listener->fd_limit && !listener->closing) {
                pause_accepting(listener, EMFILE);
                return;
            }
        } else if (is_shortage(errno)) {
            pause_accepting(listener, errno);
            return;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } /* else this one connection has gone already: ECONNABORTED and the like */
    }
}

/* --- opening --- */

/* With the handles of pause and turns, so that the memory always goes with a closed handle. */
static struct net_listener *new_listener(struct net_loop *loop, struct net_tls *tls,
                                         const struct net_listener_events *events, void *user)
{
    struct net_listener *listener = mem_new(struct net_listener);

    listener->loop = loop;
    listener->events = *events;
    listener->user = user;
    listener->fd = -1;
    net_handshakes_init(&listener->handshakes, loop, tls, on_shaken, listener);
    uv_timer_init(&loop->uv, &listener->pause);
    listener->pause.data = listener;
    listener->open_handles = 2;
    return listener;
}

struct net_listener *net_listener_open(struct net_loop *loop,
                                       const struct net_listener_config *config,
                                       const struct net_listener_events *events, void *user,
                                       struct net_error *ret_error)
{
    int fd = net_listen_socket(&config->address, ret_error);
    struct net_listener *listener;

    if (fd < 0) {
        return NULL;
    }
    listener = new_listener(loop, config->tls, events, user);
    listener->fd = fd;
    learn_fd_limit(listener);
    listener->port = net_listen_name(fd, listener->name);
    uv_poll_init(&loop->uv, &listener->poll, fd);
    listener->poll.data = listener;
    listener->open_handles++;
    uv_poll_start(&listener->poll, UV_READABLE, on_readable);
    return listener;
}

struct net_listener *net_listener_open_fed(struct net_loop *loop, struct net_tls *tls,
                                           const struct net_listener_events *events, void *user)
{
    return new_listener(loop, tls, events, user);
}

void net_listener_set_tls(struct net_listener *listener, struct net_tls *tls)
{
    listener->handshakes.tls = tls;
}

uint16_t net_listener_port(const struct net_listener *listener)
{
    return listener->port;
}

const char *net_listener_name(const struct net_listener *listener)
{
    return listener->name;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct net_listener *listener = handle->data;

    if (--listener->open_handles == 0) {
        free(listener);
    }
}

void net_listener_close(struct net_listener *listener)
{
    if (listener == NULL || listener->closing) {
        return;
    }
    listener->closing = true;
    net_handshakes_close(&listener->handshakes, on_handle_closed);
    if (listener->fd >= 0) {
        uv_close((uv_handle_t *)&listener->poll, on_handle_closed);
        close(listener->fd);
    }
    uv_close((uv_handle_t *)&listener->pause, on_handle_closed);
}
