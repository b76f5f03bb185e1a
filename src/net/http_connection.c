/* One connection's life:
 *
 *   accepted --settle--> reads --http_serve_request--> waits for its turn, is written to --> reads
 *                            `-- closed by either side, silent, its place given away --> closed
 *
 * libevent has an epoll of its own, whose descriptor it gives to nobody. So each socket is in
 * libuv's, too, with the same interest: when it is ready, libevent runs for one turn and finds that
 * out for itself. Its timeouts are not used: they would end a connection that is written to and
 * says nothing. */
#include "net/http_connection.h"

#include "base/mem.h"
#include "net/http_impl.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_struct.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Accepted in one loop turn, so that others get theirs. */
#define ACCEPT_ROUNDS 16
/* A header of 8 KiB could have 4000 lines, for each of which libevent allocates 112 bytes. */
#define REQUEST_LINES 128
/* Read ahead of the parser at most: a body is taken whole. */
#define READ_BYTES (NET_HTTP_HEADER_BYTES + NET_HTTP_BODY_BYTES)

static struct net_http *server_of(struct http_place *place)
{
    return container_of(place->places, struct net_http, places);
}

void http_connection_is_active(struct http_place *place)
{
    place->active_ms = uv_now(place->poll.loop);
}

/* ---- libevent's callbacks -------------------------------------------------------------------- */

/* The parser takes lines one by one, each with one or two calls of this. */
static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *user)
{
    struct http_place *place = user;
    (void)input;
    if (info->n_added > 0) {
        http_connection_is_active(place);
    }
    if (info->n_deleted > 0 && ++place->lines > 2 * REQUEST_LINES) {
        evhttp_connection_set_max_headers_size(place->connection, 0); /* 400 with the next line */
    }
}

static void on_output(struct evbuffer *output, const struct evbuffer_cb_info *info, void *user)
{
    (void)output;
    if (info->n_deleted > 0) {
        http_connection_is_active(user);
    }
}

static void on_poll_closed(uv_handle_t *poll)
{
    free(container_of(poll, struct http_place, poll));
}

static void on_closed(struct evhttp_connection *connection, void *user)
{
    struct http_place *place = user;
    (void)connection;
    if (place->turn != NULL) {
        http_turns_drop(&server_of(place)->turns, place->turn);
    }
    if (place->request != NULL && evhttp_request_get_connection(place->request) == NULL) {
        evhttp_request_free(place->request); /* libevent left it to us */
    }
    evbuffer_remove_cb(bufferevent_get_input(place->stream), on_input, place);
    evbuffer_remove_cb(bufferevent_get_output(place->stream), on_output, place);
    http_places_remove(place);
    uv_close((uv_handle_t *)&place->poll, on_poll_closed);
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static void begin(struct net_http *http, struct bufferevent *stream,
                  struct evhttp_connection *connection)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof(address);
    int fd = bufferevent_getfd(stream);
    struct http_place *place = mem_new(struct http_place);
    if (uv_poll_init(&http->loop->uv, &place->poll, fd) != 0) {
        free(place);
        evhttp_connection_free(connection);
        return;
    }
    uv_unref((uv_handle_t *)&place->poll);
    getpeername(fd, (struct sockaddr *)&address, &len); /* fails where the client is gone again */
    http_places_add(&http->places, place, (struct sockaddr *)&address);
    place->stream = stream;
    place->connection = connection;
    http_connection_is_active(place);
    bufferevent_priority_set(stream, HTTP_PRIORITIES - 1); /* anew: the socket has reset it */
    bufferevent_setwatermark(stream, EV_READ, 0, READ_BYTES);
    evbuffer_add_cb(bufferevent_get_input(stream), on_input, place);
    evbuffer_add_cb(bufferevent_get_output(stream), on_output, place);
    evhttp_connection_set_closecb(connection, on_closed, place);
}

/* That its stream is made is all that libevent tells of a connection before its first request. What
 * the stream's callbacks get as their argument is the connection. */
void http_connection_settle(struct net_http *http)
{
    struct bufferevent *stream = http->coming;
    bufferevent_event_cb on_event = NULL;
    void *connection = NULL;
    if (stream == NULL) {
        return;
    }
    http->coming = NULL;
    bufferevent_getcb(stream, NULL, NULL, &on_event, &connection);
    if (on_event != NULL) { /* else libevent has given it up */
        begin(http, stream, connection);
    }
    bufferevent_decref(stream);
}

struct bufferevent *http_connection_new(struct event_base *base, void *user)
{
    struct net_http *http = user;
    http_connection_settle(http);
    struct http_place *victim = http_places_victim(&http->places);
    if (victim != NULL) {
        http_connection_end(victim);
    }
    if (++http->accepted == ACCEPT_ROUNDS) {
        evconnlistener_disable(http->listener);
    }
    http->coming = bufferevent_socket_new(base, -1, 0);
    if (http->coming != NULL) {
        bufferevent_priority_set(http->coming, HTTP_PRIORITIES - 1);
        bufferevent_incref(http->coming);
    }
    return http->coming;
}

void http_connection_end(struct http_place *place)
{
    evhttp_connection_free(place->connection);
}

/* For an answer, or an event that has not come yet. */
static bool waits_for_us(const struct http_place *place)
{
    return place->turn != NULL ||
           (place->reads_events && evbuffer_get_length(bufferevent_get_output(place->stream)) == 0);
}

bool http_connection_end_silent(struct net_http *http, uint64_t now_ms)
{
    bool any = false;
    struct list *node;
    struct list *next;
    list_each(node, next, &http->places.places)
    {
        struct http_place *place = container_of(node, struct http_place, node);
        if (!waits_for_us(place) &&
            now_ms >= place->active_ms + UINT64_C(1000) * NET_HTTP_TIMEOUT_S) {
            http_connection_end(place);
            any = true;
        }
    }
    return any;
}

/* ---- readiness ------------------------------------------------------------------------------- */

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct http_place *place = container_of(poll, struct http_place, poll);
    (void)events;
    if (status != 0) {
        place->polled = 0; /* libuv has stopped */
    }
    http_run_soon(server_of(place));
}

void http_connection_watch(struct http_place *place)
{
    bool reads = event_pending(&place->stream->ev_read, EV_READ, NULL) != 0;
    bool writes = event_pending(&place->stream->ev_write, EV_WRITE, NULL) != 0;
    int wanted = (reads ? UV_READABLE : 0) | (writes ? UV_WRITABLE : 0);
    if (wanted != place->polled) {
        place->polled = wanted;
        (void)(wanted != 0 ? uv_poll_start(&place->poll, wanted, on_ready)
                           : uv_poll_stop(&place->poll));
    }
}
