/* HTTP/1.1 for metrics and administration: libmicrohttpd parses and writes, the loop waits.
 *
 * Happy path: on_acceptable -> MHD_add_connection() -> run() -> net/http_serve.c answers -> MHD
 * sends. Connections are accepted here and not by libmicrohttpd, which spins when descriptors run
 * out. Its epoll descriptor sits in the loop as one uv_poll_t, its next deadline in one uv_timer_t,
 * and what it left for the next turn in one uv_idle_t. */
#include "net/http_impl.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/http_guard.h"
#include "net/listen_socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Accepted in one loop turn, so that others get theirs. */
#define ACCEPT_ROUNDS   16
#define ACCEPT_PAUSE_MS 1000
/* More than there are places, until those that were ended are closed. */
#define DAEMON_CONNECTIONS (NET_HTTP_CONNECTIONS + 2 * ACCEPT_ROUNDS)
/* With the turns, which count as one. */
#define HANDLES 5

__attribute__((format(printf, 2, 0))) static void on_daemon_log(void *user, const char *format,
                                                                va_list arguments)
{
    (void)user;
    char text[256];
    if (log_enabled(LOG_DEBUG)) {
        vsnprintf(text, sizeof(text), format, arguments);
        text[strcspn(text, "\n")] = '\0';
        log_debug("http: %s", text);
    }
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void on_acceptable(uv_poll_t *handle, int status, int events);
static void on_timer(uv_timer_t *handle);
static void on_again(uv_idle_t *handle);

static void run(struct net_http *http)
{
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    MHD_run(http->daemon);
    bool waits = MHD_get_timeout(http->daemon, &wait_ms) == MHD_YES;
    if (waits && wait_ms == 0) {
        /* not by the timer: one that is due at once may come before anything else has its turn */
        uv_idle_start(&http->again, on_again);
        return;
    }
    uv_idle_stop(&http->again);
    if (http->accept_paused) {
        return; /* the timer is in use, and MHD_run() comes with its end */
    }
    if (waits) {
        uv_timer_start(&http->timer, on_timer, wait_ms, 0);
    } else {
        uv_timer_stop(&http->timer);
    }
}

static void on_work(uv_poll_t *handle, int status, int events)
{
    (void)status;
    (void)events;
    run(handle->data);
}

static void on_again(uv_idle_t *handle)
{
    run(handle->data);
}

static void on_timer(uv_timer_t *handle)
{
    struct net_http *http = handle->data;
    if (http->accept_paused) {
        http->accept_paused = false;
        uv_poll_start(&http->listening, UV_READABLE, on_acceptable);
    }
    run(http);
}

static void on_resumed(struct http_turns *turns)
{
    run(container_of(turns, struct net_http, turns));
}

static void pause_accepting(struct net_http *http)
{
    log_debug("http: %s: no descriptor for a new connection", http->name);
    http->accept_paused = true;
    uv_poll_stop(&http->listening);
    uv_timer_start(&http->timer, on_timer, ACCEPT_PAUSE_MS, 0);
}

static void on_acceptable(uv_poll_t *handle, int status, int events)
{
    struct net_http *http = handle->data;
    (void)status;
    (void)events;
    for (int round = 0; round < ACCEPT_ROUNDS; round++) {
        struct sockaddr_storage address;
        socklen_t len = sizeof(address);
        int fd = accept4(http->fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            http_serve_make_room(http);
            MHD_add_connection(http->daemon, fd, (struct sockaddr *)&address, len);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_accepting(http);
        }
        break;
    }
    run(http);
}

/* ---- opening and closing --------------------------------------------------------------------- */

static void close_one(struct net_http *http)
{
    if (--http->handles_open == 0) {
        free(http);
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    close_one(handle->data);
}

static void on_turns_ended(struct http_turns *turns)
{
    close_one(container_of(turns, struct net_http, turns));
}

static struct MHD_Daemon *start_daemon(struct net_http *http)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME, 0,
        NULL, NULL, http_serve_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_daemon_log, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, http_serve_completed, http, MHD_OPTION_NOTIFY_CONNECTION,
        http_serve_connection, http, MHD_OPTION_CONNECTION_LIMIT, (unsigned)DAEMON_CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)NET_HTTP_TIMEOUT_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)NET_HTTP_MEMORY_BYTES, MHD_OPTION_END);
}

static void attach(struct net_http *http, struct net_loop *loop)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    uv_poll_init(&loop->uv, &http->listening, http->fd);
    uv_poll_init(&loop->uv, &http->working, info->epoll_fd);
    uv_timer_init(&loop->uv, &http->timer);
    uv_idle_init(&loop->uv, &http->again);
    http->listening.data = http->working.data = http->timer.data = http->again.data = http;
    http_turns_init(&http->turns, &loop->uv, http->routes, &http->places, http->user);
    http->turns.on_resumed = on_resumed;
    http->turns.on_ended = on_turns_ended;
    http->handles_open = HANDLES;
    uv_poll_start(&http->listening, UV_READABLE, on_acceptable);
    uv_poll_start(&http->working, UV_READABLE, on_work);
    uv_unref((uv_handle_t *)&http->listening);
    uv_unref((uv_handle_t *)&http->working);
    uv_unref((uv_handle_t *)&http->timer);
    uv_unref((uv_handle_t *)&http->again);
}

struct net_http *net_http_open(struct net_loop *loop, const struct text_address *address,
                               const struct net_http_route *routes, void *user,
                               struct net_error *ret_error)
{
    int fd = net_listen_socket(address, ret_error);
    if (fd < 0) {
        return NULL;
    }
    struct net_http *http = mem_new(struct net_http);
    http->fd = fd;
    http->routes = routes;
    http->user = user;
    http_events_init(&http->events);
    http_places_init(&http->places);
    http->port = net_listen_name(fd, http->name);
    http->loopback = http_guard_is_loopback(http->name);
    http->daemon = start_daemon(http);
    if (http->daemon == NULL) {
        net_error_set(ret_error, NET_FAILED, "%s: cannot start the HTTP server", http->name);
        close(fd);
        free(http);
        return NULL;
    }
    attach(http, loop);
    return http;
}

void net_http_close(struct net_http *http)
{
    if (http == NULL) {
        return;
    }
    /* The loop must forget the descriptors before they are closed. */
    uv_close((uv_handle_t *)&http->listening, on_handle_closed);
    uv_close((uv_handle_t *)&http->working, on_handle_closed);
    uv_close((uv_handle_t *)&http->timer, on_handle_closed);
    uv_close((uv_handle_t *)&http->again, on_handle_closed);
    http_events_end(&http->events);
    http_turns_end(&http->turns);
    MHD_stop_daemon(http->daemon);
    close(http->fd);
}

uint16_t net_http_port(const struct net_http *http)
{
    return http->port;
}

const char *net_http_name(const struct net_http *http)
{
    return http->name;
}

void net_http_publish(struct net_http *http, const char *data, size_t len)
{
    http_events_publish(&http->events, data, len);
    run(http);
}

size_t net_http_subscribers(const struct net_http *http)
{
    return http->events.count;
}
