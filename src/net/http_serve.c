/* What is asked, and who answers: libmicrohttpd parses and writes.
 *
 * Happy path: http_serve_request -> answer -> at once, or in its turn (net/http_turns.h) and with
 * another http_serve_request, the route's handler -> the answer is queued -> http_serve_completed.
 * Failure modes: net/http.h. */
#include "net/http_impl.h"

#include "base/mem.h"
#include "net/http_answer.h"
#include "net/http_guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* What is kept of a request between libmicrohttpd's calls. */
struct request_state {
    size_t body_bytes;
    struct http_turn turn;
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

static enum MHD_Result send_route_list(const struct net_http *http,
                                       struct MHD_Connection *connection)
{
    struct net_http_response out = {.status = 200, .content_type = HTTP_TEXT_TYPE};
    for (const struct net_http_route *route = http->routes; route->path != NULL; route++) {
        char line[256];
        snprintf(line, sizeof(line), "%-20s %s%s\n", route->path, route->help,
                 route->acts ? " (POST)" : "");
        (void)buf_append(&out.body, line, strlen(line), SIZE_MAX);
    }
    return http_answer_send(connection, &out);
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

static struct http_place *place_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* The client sees the end of it; libmicrohttpd closes it when it runs next. */
static void end_place(struct net_http *http, struct http_place *place)
{
    bool reads_events = place->reads_events;
    int fd =
        MHD_get_connection_info(place->connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    http_place_end(&http->places, place);
    shutdown(fd, SHUT_RDWR);
    if (place->turn != NULL) {
        http_turns_drop(&http->turns, place->turn);
    } else if (reads_events) {
        http_events_drop(&http->events, place->connection);
    }
}

static enum MHD_Result refuse_reader(struct MHD_Connection *connection)
{
    return http_answer_refuse(connection, 503, "too many read events already; try again later\n",
                              NULL);
}

static bool events_are_full(const struct net_http *http, struct MHD_Connection *connection)
{
    return http->events.count >= NET_HTTP_SUBSCRIBERS &&
           http_places_reader_victim(&http->places, place_of(connection)->peer) == NULL;
}

static enum MHD_Result send_events(struct net_http *http, struct MHD_Connection *connection,
                                   struct net_http_response *out)
{
    if (events_are_full(http, connection)) { /* since it waits for its turn */
        buf_deinit(&out->body);
        return refuse_reader(connection);
    }
    struct http_place *place = place_of(connection);
    if (http->events.count >= NET_HTTP_SUBSCRIBERS) {
        end_place(http, http_places_reader_victim(&http->places, place->peer));
    }
    struct MHD_Response *response = http_events_subscribe(&http->events, connection, &out->body);
    http_place_reads(place, response != NULL);
    out->content_type = "text/event-stream";
    return http_answer_queue(connection, out, response);
}

static enum MHD_Result send_answer(struct net_http *http, struct MHD_Connection *connection,
                                   const struct net_http_route *route, bool whole,
                                   struct net_http_response *out)
{
    if (route->events && out->status == 200 && whole) {
        return send_events(http, connection, out);
    }
    return http_answer_send(connection, out);
}

/* At once, or suspended until its turn. */
static enum MHD_Result begin(struct net_http *http, struct MHD_Connection *connection,
                             const struct net_http_route *route, struct http_turn *turn)
{
    turn->route = route;
    turn->place = place_of(connection);
    turn->request.connection = connection;
    if (route->turn != NET_HTTP_AT_ONCE) {
        http_turns_wait(&http->turns, turn);
        return MHD_YES;
    }
    turn->response = (struct net_http_response){.status = 200, .content_type = HTTP_TEXT_TYPE};
    route->handle(http->user, &turn->request, &turn->response);
    return http_answer_send(connection, &turn->response);
}

static enum MHD_Result answer(struct net_http *http, struct MHD_Connection *connection,
                              const char *path, const char *method, struct http_turn *turn)
{
    bool reads = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    const struct net_http_route *route = find_route(http, path);
    const char *refusal = http_guard_refuse(header(connection, "Host"),
                                            header(connection, "Origin"), http->loopback, !reads);
    if (refusal != NULL) {
        return http_answer_refuse(connection, 403, refusal, NULL);
    }
    if (route == NULL && strcmp(path, "/") == 0 && reads) {
        return send_route_list(http, connection);
    }
    if (route == NULL) {
        return http_answer_refuse(connection, 404, "not found; / lists what there is\n", NULL);
    }
    if (route->acts ? strcmp(method, "POST") != 0 : !reads) {
        return http_answer_refuse(connection, 405, "method not allowed\n",
                                  route->acts ? "POST" : "GET, HEAD");
    }
    if (route->events && events_are_full(http, connection)) {
        return refuse_reader(connection);
    }
    return begin(http, connection, route, turn);
}

/* Called first with the headers alone, then with each piece of a body, then at its end, and once
 * more when it had its turn. */
enum MHD_Result http_serve_request(void *user, struct MHD_Connection *connection, const char *path,
                                   const char *method, const char *version, const char *body,
                                   size_t *body_bytes, void **state)
{
    (void)version;
    (void)body;
    struct net_http *http = user;
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
    if (request->turn.state == HTTP_TURN_DROPPED) {
        return MHD_NO;
    }
    if (request->turn.state == HTTP_TURN_MADE) {
        return send_answer(http, connection, request->turn.route, strcmp(method, "GET") == 0,
                           &request->turn.response);
    }
    return answer(http, connection, path, method, &request->turn);
}

void http_serve_completed(void *user, struct MHD_Connection *connection, void **state,
                          enum MHD_RequestTerminationCode why)
{
    struct net_http *http = user;
    struct request_state *request = *state;
    struct http_place *place = place_of(connection);
    (void)why;
    http_place_reads(place, false);
    http_places_touch(&http->places, place);
    if (request != NULL) {
        buf_deinit(&request->turn.response.body);
    }
    free(request);
    *state = NULL;
}

void http_serve_connection(void *user, struct MHD_Connection *connection, void **context,
                           enum MHD_ConnectionNotificationCode what)
{
    struct net_http *http = user;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = http_places_add(
            &http->places, connection,
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
    } else {
        http_places_remove(&http->places, *context);
    }
}

void http_serve_make_room(struct net_http *http)
{
    struct http_place *victim = http_places_victim(&http->places);
    if (victim != NULL) {
        end_place(http, victim);
    }
}
