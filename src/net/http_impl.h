/* What net/http.c and net/http_serve.c share: the server, its connections and what is asked on
 * them. */
#ifndef GRPCROUTE_NET_HTTP_IMPL_H
#define GRPCROUTE_NET_HTTP_IMPL_H

#include "net/http.h"
#include "net/http_events.h"
#include "net/http_places.h"
#include "net/http_turns.h"
#include "net/resolve.h"

#include <microhttpd.h>

struct net_http {
    struct MHD_Daemon *daemon;           /* owned */
    const struct net_http_route *routes; /* borrowed */
    void *user;
    int fd;        /* listening */
    bool loopback; /* there alone */
    uv_poll_t listening;
    uv_poll_t working; /* the daemon's epoll descriptor */
    uv_idle_t again;   /* the daemon has more to do */
    uv_timer_t timer;  /* the daemon's next deadline, or the end of a pause in accepting */
    bool accept_paused;
    struct http_events events;
    struct http_places places;
    struct http_turns turns;
    unsigned handles_open;
    uint16_t port;
    char name[NET_ADDRESS_TEXT_BYTES];
};

/* libmicrohttpd's callbacks; `user` is the server. */
enum MHD_Result http_serve_request(void *user, struct MHD_Connection *connection, const char *path,
                                   const char *method, const char *version, const char *body,
                                   size_t *body_bytes, void **state);
void http_serve_completed(void *user, struct MHD_Connection *connection, void **state,
                          enum MHD_RequestTerminationCode why);
void http_serve_connection(void *user, struct MHD_Connection *connection, void **context,
                           enum MHD_ConnectionNotificationCode what);

/* When all places are taken: ends who gives one to a new client. The daemon must run next. */
void http_serve_make_room(struct net_http *http);

#endif
