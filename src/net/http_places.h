/* Who is connected: a place for each connection, and how many places each address has. Where all
 * are taken a new client gets one all the same, from the address that has most. Only net/http*.c
 * include this. */
#ifndef GRPCROUTE_NET_HTTP_PLACES_H
#define GRPCROUTE_NET_HTTP_PLACES_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_ADDRESS_BYTES 16

struct MHD_Connection;
struct http_turn;
struct sockaddr;

/* An address that has connections: of IPv6 the first 64 bits, as one machine has all of the
 * rest. */
struct http_peer {
    struct list node;
    uint8_t address[HTTP_ADDRESS_BYTES];
    size_t connections; /* also those that are to be closed */
    size_t places;
    size_t readers;  /* of events, among them */
    uint64_t served; /* the moment of its last turn, or when it came */
};

struct http_place {
    struct list node;
    struct http_peer *peer;            /* borrowed; it lives as long */
    struct MHD_Connection *connection; /* borrowed */
    struct http_turn *turn;            /* borrowed; NULL: it waits for none */
    bool reads_events;
    bool ended; /* is to be closed, and counted no more */
};

struct http_places {
    struct list peers;
    struct list places; /* who was answered, or came, longest ago is first */
    size_t count;
    uint64_t moments; /* counted, to tell before from after */
};

void http_places_init(struct http_places *places);

/* Owned by `places`, until http_places_remove(). */
struct http_place *http_places_add(struct http_places *places, struct MHD_Connection *connection,
                                   const struct sockaddr *address);
void http_places_remove(struct http_places *places, struct http_place *place);

/* It was answered. */
void http_places_touch(struct http_places *places, struct http_place *place);
/* It reads events from now on, or no longer. */
void http_place_reads(struct http_place *place, bool reads_events);
/* It is going to be closed. */
void http_place_end(struct http_places *places, struct http_place *place);

/* Whose place a new client gets, or NULL: there is room. */
struct http_place *http_places_victim(const struct http_places *places);
/* Whose place a new reader of events from `peer` gets, or NULL: it has no right to one. */
struct http_place *http_places_reader_victim(const struct http_places *places,
                                             const struct http_peer *peer);

#endif
