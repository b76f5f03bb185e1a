/* A small HTTP/1.1 server for metrics and administration: libmicrohttpd on the loop, no threads.
 *
 * Happy path: accept -> one request -> the route's handler fills a response -> sent, kept alive.
 * Failure modes: unknown path 404, method not allowed 405, asked by a page from elsewhere 403, a handler without memory 500; more than
 * NET_HTTP_CONNECTIONS, or of one address NET_HTTP_CONNECTIONS_PER_ADDRESS, are closed at once,
 * silent ones after NET_HTTP_TIMEOUT_S (readers of events are not: they are suspended between two
 * events); at the descriptor limit accepting pauses. */
#ifndef GRPCROUTE_NET_HTTP_H
#define GRPCROUTE_NET_HTTP_H

#include "base/buf.h"
#include "base/metrics.h"
#include "base/text.h"
#include "net/error.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stdint.h>

#define NET_HTTP_CONNECTIONS 64
/* Of one address, so that no client can keep the others out: a kubelet asks from its own. */
#define NET_HTTP_CONNECTIONS_PER_ADDRESS 48
#define NET_HTTP_TIMEOUT_S   10
/* Request line and headers of one connection, and what it may send of its answer at once. */
#define NET_HTTP_MEMORY_BYTES (32 * 1024)
/* Readers of server-sent events at once; one more is answered with 503. */
#define NET_HTTP_SUBSCRIBERS 16
/* Events that wait for one reader; who falls further behind is disconnected. */
#define NET_HTTP_EVENTS_BYTES (512 * 1024)
/* A request body is read and dropped up to here; then the connection is closed. */
#define NET_HTTP_BODY_BYTES (64 * 1024)

struct net_http;
struct net_http_request;

struct net_http_response {
    unsigned status;          /* preset to 200 */
    const char *content_type; /* static; preset to "text/plain; charset=utf-8" */
    const char *policy;       /* static: Content-Security-Policy; NULL at first: none */
    struct buf body;          /* empty at first; freed by the server */
};

/* Answers one GET or HEAD, or the POST of a route that acts, at once. Must not close the server. */
typedef void (*net_http_handle_fn)(void *user, const struct net_http_request *request,
                                   struct net_http_response *response);

struct net_http_route {
    const char *path; /* exact, "/metrics" */
    const char *help; /* one line for the list of routes at "/" */
    net_http_handle_fn handle;
    /* With status 200 the connection stays open and gets, after the body, what net_http_publish()
     * sends: the handler answers with events (net_http_event()) or nothing. */
    bool events;
    bool acts; /* it changes something: POST alone, whose body is not looked at */
};

/* Listens on `address` (port 0: any free one). `routes` ends with a NULL path and is borrowed for
 * the server's life; "/" lists them unless it is a route itself. Returns NULL with a sentence in
 * `ret_error`, such as "address 127.0.0.1:9901 is in use". Does not keep the loop alive. */
struct net_http *net_http_open(struct net_loop *loop, const struct text_address *address,
                               const struct net_http_route *routes, void *user,
                               struct net_error *ret_error);

/* Drops all connections and stops; the memory goes with the closed handles. Accepts NULL. */
void net_http_close(struct net_http *http);

/* The port in use; "HOST:PORT" for messages, with 0.0.0.0 or [::] for all interfaces. */
uint16_t net_http_port(const struct net_http *http);
const char *net_http_name(const struct net_http *http);

/* Appends one server-sent event with one line of data. */
void net_http_event(struct buf *out, const char *data, size_t len);

/* Sends an event to all readers of this server's event routes; who has more than
 * NET_HTTP_EVENTS_BYTES waiting is disconnected. Not from within a handler. */
void net_http_publish(struct net_http *http, const char *data, size_t len);

/* How many read events now. */
size_t net_http_subscribers(const struct net_http *http);

/* The value of `name` in the query of the URL, "" when it has none, NULL when absent; borrowed. */
const char *net_http_query(const struct net_http_request *request, const char *name);

/* An exposition of metrics in the format that the request prefers, and the answer it becomes:
 * between the two, add metrics. */
struct metrics net_http_metrics_begin(const struct net_http_request *request);
void net_http_metrics_end(struct metrics *metrics, struct net_http_response *response);

#endif
