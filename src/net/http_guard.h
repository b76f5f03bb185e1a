/* Which requests a page in somebody's browser must not make: who listens on loopback trusts this
 * machine, and a page from anywhere may ask it, under its own name (DNS rebinding) or across
 * origins. Only net/http.c includes this. */
#ifndef GRPCROUTE_NET_HTTP_GUARD_H
#define GRPCROUTE_NET_HTTP_GUARD_H

#include <stdbool.h>

/* Whether it is HOST or HOST:PORT, and the host localhost, 127.x.y.z or [::1]. The port is any: the
 * end of a tunnel (ssh -L, kubectl port-forward) has one of its own, and a page cannot choose the
 * host by it. */
bool http_guard_is_loopback(const char *authority);

/* Why a request with these headers (NULL: absent) is refused, or NULL. `loopback`: the server
 * listens there alone; `acts`: the request changes something. */
const char *http_guard_refuse(const char *host, const char *origin, bool loopback, bool acts);

#endif
