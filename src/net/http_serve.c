/* What is asked, and who answers.
 *
 * Happy path: http_serve_request -> at once, or in its turn (net/http_turns.h) and then
 * http_serve_made, the route's handler -> the answer is sent.
 * Failure modes: net/http.h. */
#include "net/http_answer.h"
#include "net/http_connection.h"
#include "net/http_events.h"
#include "net/http_guard.h"
#include "net/http_impl.h"
#include "net/http_request.h"

#include "base/mem.h"

#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Requests that are looked at in one go, so that others get their turn: left to itself, libevent
 * goes on for as long as more than 32 clients have another one. */
#define SERVE_ROUNDS 16

static void send_route_list(const struct net_http *http, struct http_place *place, bool whole)
{
    struct net_http_response out = {.status = 200, .content_type = HTTP_TEXT_TYPE};
    for (const struct net_http_route *route = http->routes; route->path != NULL; route++) {
        char line[256];
        snprintf(line, sizeof(line), "%-20s %s%s\n", route->path, route->help,
                 route->acts ? " (POST)" : "");
        (void)buf_append(&out.body, line, strlen(line), SIZE_MAX);
    }
    http_answer_send(place, &out, whole);
}

static const struct net_http_route *find_route(const struct net_http *http, const char *path)
{
    for (const struct net_http_route *route = http->routes; route->path != NULL; route++) {
        if (path != NULL && strcmp(route->path, path) == 0) {
            return route;
        }
    }
    return NULL;
}

static bool events_are_full(const struct net_http *http, const struct http_place *place)
{
    return http->places.readers >= NET_HTTP_SUBSCRIBERS &&
           http_places_reader_victim(&http->places, place->peer) == NULL;
}

static void refuse_reader(struct http_place *place)
{
    http_answer_refuse(place, 503, "too many read events already; try again later\n", NULL);
}

static void send_events(struct net_http *http, struct http_place *place,
                        struct net_http_response *out)
{
    if (events_are_full(http, place)) { /* since it waits for its turn */
        buf_deinit(&out->body);
        refuse_reader(place);
        return;
    }
    if (http->places.readers >= NET_HTTP_SUBSCRIBERS) {
        http_connection_end(http_places_reader_victim(&http->places, place->peer));
    }
    http_events_begin(place, out);
}

static void send_answer(struct net_http *http, struct http_place *place,
                        const struct net_http_route *route, struct net_http_response *out)
{
    bool whole = evhttp_request_get_command(place->request) != EVHTTP_REQ_HEAD;
    if (route->events && out->status == 200 && whole) {
        send_events(http, place, out);
    } else {
        http_answer_send(place, out, whole);
    }
}

void http_serve_made(struct http_turns *turns, struct http_turn *turn)
{
    struct net_http *http = container_of(turns, struct net_http, turns);
    http_connection_is_active(turn->place);
    send_answer(http, turn->place, turn->route, &turn->response);
    http_run_soon(http);
}

/* At once, or in its turn. */
static void serve(struct net_http *http, struct http_place *place,
                  const struct net_http_route *route)
{
    struct net_http_request request = http_request_copy(place->request);
    if (route->turn == NET_HTTP_AT_ONCE) {
        struct net_http_response out = {.status = 200, .content_type = HTTP_TEXT_TYPE};
        route->handle(http->user, &request, &out);
        send_answer(http, place, route, &out);
    } else {
        http_turns_wait(&http->turns, place, route, &request);
    }
    http_request_deinit(&request);
}

static void answer(struct net_http *http, struct http_place *place, const char *path)
{
    struct evhttp_request *asked = place->request;
    enum evhttp_cmd_type method = evhttp_request_get_command(asked);
    bool reads = method == EVHTTP_REQ_GET || method == EVHTTP_REQ_HEAD;
    const struct net_http_route *route = find_route(http, path);
    const char *reason = NULL;
    unsigned fault = http_request_fault(asked, &reason);
    const char *refusal =
        http_guard_refuse(http_request_header(asked, "Host"), http_request_header(asked, "Origin"),
                          http->loopback, !reads);
    if (fault != 0) {
        http_answer_refuse(place, fault, reason, NULL);
    } else if (refusal != NULL) {
        http_answer_refuse(place, 403, refusal, NULL);
    } else if (route == NULL && reads && path != NULL && strcmp(path, "/") == 0) {
        send_route_list(http, place, method == EVHTTP_REQ_GET);
    } else if (route == NULL) {
        http_answer_refuse(place, 404, "not found; / lists what there is\n", NULL);
    } else if (route->acts ? method != EVHTTP_REQ_POST : !reads) {
        http_answer_refuse(place, 405, "method not allowed\n", route->acts ? "POST" : "GET, HEAD");
    } else if (route->events && events_are_full(http, place)) {
        refuse_reader(place);
    } else {
        serve(http, place, route);
    }
}

void http_serve_request(struct evhttp_request *asked, void *user)
{
    struct net_http *http = user;
    http_connection_settle(http); /* it may be the first of that connection */
    struct http_place *place =
        http_places_find(&http->places, evhttp_request_get_connection(asked));
    char *path = http_request_path(asked);
    place->lines = 0;
    place->request = asked;
    answer(http, place, path);
    free(path);
    if (++http->served == SERVE_ROUNDS) {
        event_base_loopbreak(http->base);
    }
}
