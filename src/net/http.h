/* A small HTTP/1.1 server for metrics and administration: libevent's evhttp on the loop.
 * What takes long (NET_HTTP_APART) is made on a thread of libuv's pool, one answer at a time.
 *
 * Happy path: accept -> one request -> it waits for its turn -> the route's handler fills a
 * response -> sent, kept alive. A client that has closed its half of the connection is answered.
 * What one client does is paid by that client: who takes the last of NET_HTTP_CONNECTIONS places
 * gets that of the address that has most, which is closed; requests that cost something are
 * answered one at a time, those of all routes and addresses in turn, and a probe never waits for
 * them.
 * Failure modes: unknown path or absolute URI 404, method not allowed 405, asked by a page from
 * elsewhere 403, not HTTP/1 505, no request line or header, one that is too large, or none or more
 * than one Host 400, a body that is too large 413, too many readers of events 503, each with the
 * end of the connection; a handler without memory 500; connections in which nothing goes either way
 * end after NET_HTTP_TIMEOUT_S (while the client waits for its turn or for the next event they do
 * not); at the descriptor limit accepting pauses. */
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
#define NET_HTTP_TIMEOUT_S   10
/* Request line and header; of that at most 128 lines. */
#define NET_HTTP_HEADER_BYTES (8 * 1024)
/* Readers of server-sent events at once; one more is answered with 503, unless another address has
 * more of them than its own: then the youngest of those ends. */
#define NET_HTTP_SUBSCRIBERS 16
/* Events that wait for one reader; who falls further behind is disconnected. */
#define NET_HTTP_EVENTS_BYTES (512 * 1024)
/* A request body is read and dropped up to here; a larger one is refused. */
#define NET_HTTP_BODY_BYTES (64 * 1024)

struct net_http;
struct net_http_request;

struct net_http_response {
    unsigned status;          /* preset to 200 */
    const char *content_type; /* static; preset to "text/plain; charset=utf-8" */
    const char *policy;       /* static: Content-Security-Policy; NULL at first: none */
    struct buf body;          /* empty at first; freed by the server */
};

/* When a request is answered. */
enum net_http_turn {
    NET_HTTP_IN_TURN, /* on the loop, after those of others that wait */
    NET_HTTP_AT_ONCE, /* as it costs next to nothing: probes */
    /* In turn, and on a thread of its own, one at a time, while the loop goes on: what it looks at
     * may be looked at from there. */
    NET_HTTP_APART,
};

/* Answers one GET or HEAD, or the POST of a route that acts. Must not close the server. */
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
    enum net_http_turn turn;
};

/* Listens on `address` (port 0: any free one). `routes` ends with a NULL path and is borrowed for
 * the server's life; "/" lists them unless it is a route itself. Returns NULL with a sentence in
 * `ret_error`, such as "address 127.0.0.1:9901 is in use". Does not keep the loop alive. */
struct net_http *net_http_open(struct net_loop *loop, const struct text_address *address,
                               const struct net_http_route *routes, void *user,
                               struct net_error *ret_error);

/* Drops all connections and stops, after the answer that is being made on another thread; the
 * memory goes with the closed handles. Accepts NULL. */
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
