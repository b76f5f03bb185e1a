/* What net/http.c, net/http_connection.c and net/http_serve.c share: the server, its connections
 * and what is asked on them. */
#ifndef GRPCROUTE_NET_HTTP_IMPL_H
#define GRPCROUTE_NET_HTTP_IMPL_H

#include "net/http.h"
#include "net/http_places.h"
#include "net/http_turns.h"
#include "net/resolve.h"

struct bufferevent;
struct evconnlistener;
struct event_base;
struct evhttp;
struct evhttp_request;

struct net_http {
    struct event_base *base;             /* owned: what libevent waits for */
    struct evhttp *server;               /* owned */
    struct evconnlistener *listener;     /* the server's; disabled but while it accepts */
    const struct net_http_route *routes; /* borrowed */
    void *user;
    int fd;        /* listening */
    bool loopback; /* there alone */
    uv_poll_t listening;
    uv_timer_t timer;      /* the end of a pause in accepting */
    struct net_loop *loop; /* borrowed */
    struct net_tick tick;
    struct net_flush flush;     /* libevent is to run */
    struct bufferevent *coming; /* of a connection that has no place yet, with a reference */
    unsigned accepted;          /* connections, since libevent began to run */
    unsigned served;            /* requests, since then */
    struct http_places places;
    struct http_turns turns;
    unsigned handles_open;
    uint16_t port;
    char name[NET_ADDRESS_TEXT_BYTES];
};

/* At the end of this turn of the loop libevent does what it can without waiting, and the loop then
 * waits for the rest. To be called by who sent or ended something, unless it was within one of
 * libevent's callbacks. */
static inline void http_run_soon(struct net_http *http)
{
    net_loop_flush_soon(http->loop, &http->flush);
}

/* libevent's callback for each request; `user` is the server. */
void http_serve_request(struct evhttp_request *asked, void *user);

/* An answer has been made in its turn: sends it. */
void http_serve_made(struct http_turns *turns, struct http_turn *turn);

#endif
