/* Server-sent events: what waits for each place that reads them. Only net/http*.c include this. */
#ifndef GRPCROUTE_NET_HTTP_EVENTS_H
#define GRPCROUTE_NET_HTTP_EVENTS_H

#include "net/http.h"

#include <stddef.h>

struct http_place;
struct http_places;

/* Answers the place's request without end, first with the body of `out`, which is taken. */
void http_events_begin(struct http_place *place, struct net_http_response *out);

/* Queues an event for everyone. */
void http_events_publish(struct http_places *places, const char *data, size_t len);

#endif
