/* HTTP/1.1 for metrics and administration: libevent's evhttp parses and writes, libuv waits.
 *
 * Happy path: on_acceptable -> libevent accepts -> net/http_connection.c has its socket in the loop
 * -> ready -> run() -> net/http_serve.c answers -> libevent sends.
 * libevent's listener is enabled for the moment of accepting alone: left to itself it spins when
 * descriptors run out. */
#include "net/http_impl.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/http_connection.h"
#include "net/http_events.h"
#include "net/http_guard.h"
#include "net/listen_socket.h"

#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define ACCEPT_PAUSE_MS 1000
/* Of libevent: an epoll and a pipe. */
#define BASE_DESCRIPTORS 3
/* With the turns, which count as one. */
#define HANDLES 3

/* Behind an error libevent ends the program. */
static void on_log(int severity, const char *text)
{
    enum log_level level = severity == EVENT_LOG_ERR ? LOG_ERROR : LOG_DEBUG;
    log_event(level, &(struct log_source){"http", NULL, NULL}, "libevent", NULL, "%s", text);
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void on_acceptable(uv_poll_t *handle, int status, int events);

static void run(struct net_http *http)
{
    struct list *node;
    struct list *next;
    http->accepted = http->served = 0;
    event_base_loop(http->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    if (event_base_get_num_events(http->base, EVENT_BASE_COUNT_ACTIVE) > 0) {
        http_run_soon(http); /* it was interrupted */
    }
    http_connection_settle(http);
    list_each(node, next, &http->places.places)
    {
        http_connection_watch(container_of(node, struct http_place, node));
    }
}

static void on_flush(struct net_flush *flush)
{
    run(container_of(flush, struct net_http, flush));
}

static void on_tick(struct net_tick *tick, uint64_t now_ms)
{
    struct net_http *http = container_of(tick, struct net_http, tick);
    if (http_connection_end_silent(http, now_ms)) {
        http_run_soon(http);
    }
}

static void on_pause_over(uv_timer_t *timer)
{
    struct net_http *http = timer->data;
    uv_poll_start(&http->listening, UV_READABLE, on_acceptable);
}

static bool still_waits(int fd)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    return poll(&waiting, 1, 0) == 1;
}

static void on_acceptable(uv_poll_t *handle, int status, int events)
{
    struct net_http *http = handle->data;
    (void)status;
    (void)events;
    evconnlistener_enable(http->listener);
    run(http);
    evconnlistener_disable(http->listener);
    if (http->accepted == 0 && still_waits(http->fd)) {
        log_debug("http: %s: no descriptor for a new connection", http->name);
        uv_poll_stop(&http->listening);
        uv_timer_start(&http->timer, on_pause_over, ACCEPT_PAUSE_MS, 0);
    }
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

/* As many as libevent needs: where there are fewer it would end the program. */
static bool there_are_descriptors(int fd)
{
    int free_fds[BASE_DESCRIPTORS];
    bool all = true;
    for (size_t i = 0; i < BASE_DESCRIPTORS; i++) {
        free_fds[i] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        all = all && free_fds[i] >= 0;
    }
    for (size_t i = 0; i < BASE_DESCRIPTORS; i++) {
        if (free_fds[i] >= 0) {
            close(free_fds[i]);
        }
    }
    return all;
}

static struct event_base *new_base(int fd)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;
    if (config != NULL && there_are_descriptors(fd)) {
        event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
        base = event_base_new_with_config(config);
    }
    if (config != NULL) {
        event_config_free(config);
    }
    if (base != NULL) {
        event_base_priority_init(base, HTTP_PRIORITIES);
    }
    return base;
}

static bool start_server(struct net_http *http)
{
    event_set_log_callback(on_log);
    http->base = new_base(http->fd);
    http->server = http->base != NULL ? evhttp_new(http->base) : NULL;
    if (http->server == NULL) {
        return false;
    }
    evhttp_set_max_headers_size(http->server, NET_HTTP_HEADER_BYTES);
    evhttp_set_max_body_size(http->server, NET_HTTP_BODY_BYTES);
    evhttp_set_allowed_methods(http->server, UINT16_MAX); /* routes refuse them, in their words */
    evhttp_set_bevcb(http->server, http_connection_new, http);
    evhttp_set_gencb(http->server, http_serve_request, http);
    http->listener = evconnlistener_new(http->base, NULL, NULL,
                                        LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_DISABLED, 0, http->fd);
    if (http->listener == NULL) {
        return false;
    }
    if (evhttp_bind_listener(http->server, http->listener) == NULL) {
        evconnlistener_free(http->listener);
        return false;
    }
    return true;
}

/* Each connection that is left tells its place and its turn. */
static void stop_server(struct net_http *http)
{
    if (http->server != NULL) {
        evhttp_free(http->server);
    }
    if (http->base != NULL) {
        event_base_free(http->base);
    }
    close(http->fd);
}

static void attach(struct net_http *http, struct net_loop *loop)
{
    uv_poll_init(&loop->uv, &http->listening, http->fd);
    uv_timer_init(&loop->uv, &http->timer);
    http->listening.data = http->timer.data = http;
    http_turns_init(&http->turns, &loop->uv, http->routes, &http->places, http->user);
    http->turns.on_made = http_serve_made;
    http->turns.on_ended = on_turns_ended;
    http->handles_open = HANDLES;
    uv_poll_start(&http->listening, UV_READABLE, on_acceptable);
    uv_unref((uv_handle_t *)&http->listening);
    uv_unref((uv_handle_t *)&http->timer);
    http->loop = loop;
    net_flush_init(&http->flush, on_flush);
    net_tick_init(&http->tick, on_tick);
    net_loop_tick_start(loop, &http->tick);
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
    http_places_init(&http->places);
    http->port = net_listen_name(fd, http->name);
    http->loopback = http_guard_is_loopback(http->name);
    if (!start_server(http)) {
        net_error_from_uv(ret_error, there_are_descriptors(fd) ? UV_ENOMEM : UV_EMFILE, http->name);
        stop_server(http);
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
    uv_close((uv_handle_t *)&http->timer, on_handle_closed);
    net_loop_tick_stop(&http->tick);
    net_loop_flush_cancel(&http->flush);
    stop_server(http);
    http_turns_end(&http->turns);
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
    http_events_publish(&http->places, data, len);
    http_run_soon(http);
}

size_t net_http_subscribers(const struct net_http *http)
{
    return http->places.readers;
}
