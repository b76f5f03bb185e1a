/* Server-sent events on libmicrohttpd: who reads them, and what waits for each. Only net/http.c
 * includes this. */
#ifndef GRPCROUTE_NET_HTTP_EVENTS_H
#define GRPCROUTE_NET_HTTP_EVENTS_H

#include "base/buf.h"
#include "base/list.h"

#include <stddef.h>

struct MHD_Connection;
struct MHD_Response;

struct http_events {
    struct list subscribers;
    size_t count;
};

void http_events_init(struct http_events *events);

/* An endless response for `connection` that begins with the bytes of `first`, which are moved.
 * Returns NULL without memory; else the subscriber goes with the response. */
struct MHD_Response *http_events_subscribe(struct http_events *events,
                                           struct MHD_Connection *connection, struct buf *first);

/* Queues an event for everyone and wakes who slept; the daemon must run next. */
void http_events_publish(struct http_events *events, const char *data, size_t len);

/* Wakes the reader of that connection for the last time. */
void http_events_drop(struct http_events *events, struct MHD_Connection *connection);

/* Wakes everyone for the last time: a daemon must not be stopped with suspended connections. */
void http_events_end(struct http_events *events);

#endif
