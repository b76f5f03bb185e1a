/* Who is connected: a place for each connection, and how many places each address has. Where all
 * are taken a new client gets one all the same, from the address that has most. Only net/http*.c
 * include this. */
#ifndef GRPCROUTE_NET_HTTP_PLACES_H
#define GRPCROUTE_NET_HTTP_PLACES_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define HTTP_ADDRESS_BYTES 16

struct bufferevent;
struct evhttp_connection;
struct evhttp_request;
struct http_places;
struct http_turn;
struct sockaddr;

/* An address that has connections: of IPv6 the first 64 bits, as one machine has all of the
 * rest. */
struct http_peer {
    struct list node;
    uint8_t address[HTTP_ADDRESS_BYTES];
    size_t places;
    size_t readers;  /* of events, among them */
    uint64_t served; /* the moment of its last turn, or when it came */
};

struct http_place {
    struct list node;
    struct http_places *places;           /* borrowed, as all that follows; they live longer */
    struct http_peer *peer;               /* and this one as long */
    struct evhttp_connection *connection; /* as long, too */
    struct bufferevent *stream;           /* its bytes */
    struct evhttp_request *request;       /* not answered yet, or by events without end; or NULL */
    struct http_turn *turn;               /* NULL: it waits for none */
    bool reads_events;
    unsigned lines;     /* that were read of the request */
    uint64_t active_ms; /* bytes went either way, of the loop's time */
    uv_poll_t poll;     /* of its socket; in use while `polled` */
    int polled;         /* UV_READABLE and UV_WRITABLE, or 0 */
};

struct http_places {
    struct list peers;
    struct list places; /* who was answered, or came, longest ago is first */
    size_t count;
    size_t readers;   /* of events */
    uint64_t moments; /* counted, to tell before from after */
};

void http_places_init(struct http_places *places);

/* `place`, which is zeroed or has but a poll handle, is that of a client at `address` until
 * http_places_remove(). Its memory is the caller's. */
void http_places_add(struct http_places *places, struct http_place *place,
                     const struct sockaddr *address);
void http_places_remove(struct http_place *place);

/* Whose it is, or NULL. */
struct http_place *http_places_find(const struct http_places *places,
                                    const struct evhttp_connection *connection);

/* It was answered. */
void http_place_touch(struct http_place *place);
/* It reads events from now on. */
void http_place_reads(struct http_place *place);

/* Whose place a new client gets, or NULL: there is room. */
struct http_place *http_places_victim(const struct http_places *places);
/* Whose place a new reader of events from `peer` gets, or NULL: it has no right to one. */
struct http_place *http_places_reader_victim(const struct http_places *places,
                                             const struct http_peer *peer);

#endif
