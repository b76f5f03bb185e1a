/* What was asked: of libevent's request what the server looks at, and a copy of what handlers may
 * look at from another thread. Only net/http*.c include this. */
#ifndef GRPCROUTE_NET_HTTP_REQUEST_H
#define GRPCROUTE_NET_HTTP_REQUEST_H

#include "net/http.h"

#include <stddef.h>

struct evhttp_request;

struct net_http_request {
    char *query; /* owned: a name and its value, each with a NUL behind it, and so on */
    size_t query_bytes;
    bool wants_open; /* OpenMetrics rather than text */
};

/* The header's first value, or NULL; borrowed. */
const char *http_request_header(struct evhttp_request *asked, const char *name);

/* The path, decoded and owned by the caller, or NULL: it is not one of this server (an absolute
 * URI as proxies get it, or with a NUL in it). */
char *http_request_path(struct evhttp_request *asked);

/* What RFC 9112 has a server refuse before it looks at anything else: returns the status (400 or
 * 505) and why, or 0. From then on its version is 1.0 or 1.1. */
unsigned http_request_fault(struct evhttp_request *asked, const char **ret_reason);

/* It may have a body all the same, which libevent does not read. */
bool http_request_hides_body(struct evhttp_request *asked);

/* Copies it, as http_request_deinit() frees it. */
struct net_http_request http_request_copy(struct evhttp_request *asked);
void http_request_deinit(struct net_http_request *request);

#endif
