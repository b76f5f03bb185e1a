/* HTTP/1.1 for metrics and administration: libmicrohttpd parses and writes, the loop waits.
 *
 * Happy path: on_acceptable -> MHD_add_connection() -> run() -> on_request -> the route's handler
 * -> MHD sends. Connections are accepted here and not by libmicrohttpd, which spins when
 * descriptors run out. Its epoll descriptor sits in the loop as one uv_poll_t, its next deadline in
 * one uv_timer_t. */
#include "net/http.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/http_events.h"
#include "net/http_guard.h"
#include "net/listen_socket.h"
#include "net/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Accepted in one loop turn, so that others get theirs. */
#define ACCEPT_ROUNDS   16
#define ACCEPT_PAUSE_MS 1000
#define HANDLES         3

struct net_http {
    struct MHD_Daemon *daemon;           /* owned */
    const struct net_http_route *routes; /* borrowed */
    void *user;
    int fd; /* listening */
    bool loopback; /* there alone */
    uv_poll_t listening;
    uv_poll_t working; /* the daemon's epoll descriptor */
    uv_timer_t timer;  /* the daemon's next deadline, or the end of a pause in accepting */
    bool accept_paused;
    struct http_events events;
    unsigned handles_open;
    uint16_t port;
    char name[NET_ADDRESS_TEXT_BYTES];
};

struct net_http_request {
    struct MHD_Connection *connection; /* borrowed */
};

/* What is kept of a request between libmicrohttpd's calls. */
struct request_state {
    size_t body_bytes;
};

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

const char *net_http_query(const struct net_http_request *request, const char *name)
{
    const char *value = NULL;
    size_t len = 0;
    enum MHD_Result found = MHD_lookup_connection_value_n(
        request->connection, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value, &len);
    if (found != MHD_YES) {
        return NULL;
    }
    return value != NULL ? value : "";
}

struct metrics net_http_metrics_begin(const struct net_http_request *request)
{
    return (struct metrics){.open = metrics_wants_open(header(request->connection, "Accept"))};
}

void net_http_metrics_end(struct metrics *metrics, struct net_http_response *response)
{
    metrics_end(metrics);
    response->status = metrics->incomplete ? 500 : 200;
    response->content_type = metrics_content_type(metrics);
    response->body = metrics->text; /* moved */
}

/* ---- answering ------------------------------------------------------------------------------- */

static void put(struct buf *body, const char *text)
{
    (void)buf_append(body, text, strlen(text), SIZE_MAX);
}

/* Queues and releases it. */
static enum MHD_Result queue_response(struct MHD_Connection *connection,
                                      const struct net_http_response *out,
                                      struct MHD_Response *response, const char *allow)
{
    if (response == NULL) {
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", out->content_type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (allow != NULL) {
        MHD_add_response_header(response, "Allow", allow);
    }
    if (out->policy != NULL) {
        MHD_add_response_header(response, "Content-Security-Policy", out->policy);
        MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    }
    enum MHD_Result rv = MHD_queue_response(connection, out->status, response);
    MHD_destroy_response(response);
    return rv;
}

static enum MHD_Result send_response(struct MHD_Connection *connection,
                                     struct net_http_response *out, const char *allow)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(out->body.len, buf_data(&out->body), MHD_RESPMEM_MUST_COPY);
    buf_deinit(&out->body);
    return queue_response(connection, out, response, allow);
}

static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned status,
                                 const char *text, const char *allow)
{
    struct net_http_response out = {.status = status, .content_type = "text/plain; charset=utf-8"};
    put(&out.body, text);
    return send_response(connection, &out, allow);
}

static enum MHD_Result send_route_list(const struct net_http *http,
                                       struct MHD_Connection *connection)
{
    struct net_http_response out = {.status = 200, .content_type = "text/plain; charset=utf-8"};
    for (const struct net_http_route *route = http->routes; route->path != NULL; route++) {
        char line[256];
        snprintf(line, sizeof(line), "%-20s %s%s\n", route->path, route->help,
                 route->acts ? " (POST)" : "");
        put(&out.body, line);
    }
    return send_response(connection, &out, NULL);
}

static const struct net_http_route *find_route(const struct net_http *http, const char *path)
{
    for (const struct net_http_route *route = http->routes; route->path != NULL; route++) {
        if (strcmp(route->path, path) == 0) {
            return route;
        }
    }
    return NULL;
}

static enum MHD_Result send_events(struct net_http *http, struct MHD_Connection *connection,
                                   struct net_http_response *out)
{
    struct MHD_Response *response = http_events_subscribe(&http->events, connection, &out->body);
    out->content_type = "text/event-stream";
    return queue_response(connection, out, response, NULL);
}

static enum MHD_Result answer(struct net_http *http, struct MHD_Connection *connection,
                              const char *path, const char *method)
{
    bool reads = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    const struct net_http_route *route = find_route(http, path);
    const char *refusal = http_guard_refuse(header(connection, "Host"), header(connection, "Origin"),
                                            http->loopback, !reads);
    if (refusal != NULL) {
        return send_text(connection, 403, refusal, NULL);
    }
    if (route == NULL && strcmp(path, "/") == 0 && reads) {
        return send_route_list(http, connection);
    }
    if (route == NULL) {
        return send_text(connection, 404, "not found; / lists what there is\n", NULL);
    }
    if (route->acts ? strcmp(method, "POST") != 0 : !reads) {
        return send_text(connection, 405, "method not allowed\n",
                         route->acts ? "POST" : "GET, HEAD");
    }
    if (route->events && http->events.count == NET_HTTP_SUBSCRIBERS) {
        return send_text(connection, 503, "too many read events already; try again later\n", NULL);
    }
    struct net_http_response out = {.status = 200, .content_type = "text/plain; charset=utf-8"};
    route->handle(http->user, &(struct net_http_request){connection}, &out);
    if (route->events && out.status == 200 && strcmp(method, "GET") == 0) {
        return send_events(http, connection, &out);
    }
    return send_response(connection, &out, NULL);
}

/* libmicrohttpd calls first with the headers alone, then with each piece of a body, then at its
 * end. */
static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *body,
                                  size_t *body_bytes, void **state)
{
    (void)version;
    (void)body;
    struct request_state *request = *state;
    if (request == NULL) {
        *state = mem_new(struct request_state);
        return MHD_YES;
    }
    if (*body_bytes > 0) {
        request->body_bytes += *body_bytes;
        *body_bytes = 0;
        return request->body_bytes <= NET_HTTP_BODY_BYTES ? MHD_YES : MHD_NO;
    }
    return answer(user, connection, path, method);
}

static void on_completed(void *user, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode why)
{
    (void)user;
    (void)connection;
    (void)why;
    free(*state);
    *state = NULL;
}

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

static void run(struct net_http *http)
{
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    MHD_run(http->daemon);
    if (http->accept_paused) {
        return; /* the timer is in use, and MHD_run() comes with its end */
    }
    if (MHD_get_timeout(http->daemon, &wait_ms) == MHD_YES) {
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

static void on_timer(uv_timer_t *handle)
{
    struct net_http *http = handle->data;
    if (http->accept_paused) {
        http->accept_paused = false;
        uv_poll_start(&http->listening, UV_READABLE, on_acceptable);
    }
    run(http);
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
            /* Closes the descriptor itself when there are too many connections. */
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

static struct MHD_Daemon *start_daemon(struct net_http *http)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME, 0,
        NULL, NULL, on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_daemon_log, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)NET_HTTP_CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)NET_HTTP_CONNECTIONS_PER_ADDRESS, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)NET_HTTP_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)NET_HTTP_MEMORY_BYTES, MHD_OPTION_END);
}

static void attach(struct net_http *http, struct net_loop *loop)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    uv_poll_init(&loop->uv, &http->listening, http->fd);
    uv_poll_init(&loop->uv, &http->working, info->epoll_fd);
    uv_timer_init(&loop->uv, &http->timer);
    http->listening.data = http->working.data = http->timer.data = http;
    http->handles_open = HANDLES;
    uv_poll_start(&http->listening, UV_READABLE, on_acceptable);
    uv_poll_start(&http->working, UV_READABLE, on_work);
    uv_unref((uv_handle_t *)&http->listening);
    uv_unref((uv_handle_t *)&http->working);
    uv_unref((uv_handle_t *)&http->timer);
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

static void on_handle_closed(uv_handle_t *handle)
{
    struct net_http *http = handle->data;
    if (--http->handles_open == 0) {
        free(http);
    }
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
    http_events_end(&http->events);
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
