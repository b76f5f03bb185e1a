/* Connections between libevent, which reads, parses and writes, and libuv, which waits for their
 * sockets. Only net/http*.c include this. */
#ifndef GRPCROUTE_NET_HTTP_CONNECTION_H
#define GRPCROUTE_NET_HTTP_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

/* libevent's: its listener has the one in the middle, connections the last one, so that accepting
 * comes before whatever is asked. */
#define HTTP_PRIORITIES 3

struct bufferevent;
struct event_base;
struct http_place;
struct net_http;

/* libevent's callback for a new connection: makes room where all places are taken, and returns its
 * stream, without a socket yet. */
struct bufferevent *http_connection_new(struct event_base *base, void *user);

/* The connection that was made last has its socket now, and gets its place; nothing when there is
 * none. */
void http_connection_settle(struct net_http *http);

/* Waits for what libevent waits for. When libevent has run. */
void http_connection_watch(struct http_place *place);

/* Bytes went, or begin to wait: the time in which it must do something begins anew. */
void http_connection_is_active(struct http_place *place);

/* Closes it, and its place is gone. libevent must run next. */
void http_connection_end(struct http_place *place);

/* Ends those in which nothing has gone either way for too long, unless it is the server that they
 * wait for. Returns whether there were any. */
bool http_connection_end_silent(struct net_http *http, uint64_t now_ms);

#endif
