/* A list of places for each address, and of all the addresses. */
#include "net/http_places.h"

#include "base/mem.h"
#include "net/http.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define IPV6_NET_BYTES 8

void http_places_init(struct http_places *places)
{
    *places = (struct http_places){0};
    list_init(&places->peers);
    list_init(&places->places);
}

/* ---- addresses ------------------------------------------------------------------------------- */

/* An address of IPv4 as IPv6 has it (RFC 4291 section 2.5.5.2), which is what a listener of both
 * sees. */
static void address_of(const struct sockaddr *address, uint8_t ret[static HTTP_ADDRESS_BYTES])
{
    memset(ret, 0, HTTP_ADDRESS_BYTES);
    if (address->sa_family == AF_INET) {
        ret[10] = ret[11] = 0xff;
        memcpy(ret + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        const struct in6_addr *v6 =
            &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        bool whole = IN6_IS_ADDR_V4MAPPED(v6) || IN6_IS_ADDR_LOOPBACK(v6);
        memcpy(ret, v6, whole ? HTTP_ADDRESS_BYTES : IPV6_NET_BYTES);
    }
}

static struct http_peer *peer_of(struct http_places *places, const struct sockaddr *address)
{
    uint8_t bytes[HTTP_ADDRESS_BYTES];
    struct list *node;
    struct list *next;
    address_of(address, bytes);
    list_each(node, next, &places->peers)
    {
        struct http_peer *known = container_of(node, struct http_peer, node);
        if (memcmp(known->address, bytes, sizeof(bytes)) == 0) {
            return known;
        }
    }
    struct http_peer *peer = mem_new(struct http_peer);
    memcpy(peer->address, bytes, sizeof(bytes));
    /* not before those who are here already: who comes ever anew gains nothing */
    peer->served = ++places->moments;
    list_append(&places->peers, &peer->node);
    return peer;
}

/* ---- places ---------------------------------------------------------------------------------- */

void http_places_add(struct http_places *places, struct http_place *place,
                     const struct sockaddr *address)
{
    place->places = places;
    place->peer = peer_of(places, address);
    place->peer->places++;
    places->count++;
    list_append(&places->places, &place->node);
}

void http_place_reads(struct http_place *place)
{
    assert(!place->reads_events);
    place->reads_events = true;
    place->peer->readers++;
    place->places->readers++;
}

void http_places_remove(struct http_place *place)
{
    struct http_peer *peer = place->peer;
    peer->readers -= place->reads_events;
    place->places->readers -= place->reads_events;
    place->places->count--;
    list_remove(&place->node);
    if (--peer->places == 0) {
        list_remove(&peer->node);
        free(peer);
    }
}

struct http_place *http_places_find(const struct http_places *places,
                                    const struct evhttp_connection *connection)
{
    for (struct list *node = places->places.next; node != &places->places; node = node->next) {
        struct http_place *place = container_of(node, struct http_place, node);
        if (place->connection == connection) {
            return place;
        }
    }
    return NULL;
}

void http_place_touch(struct http_place *place)
{
    list_remove(&place->node);
    list_append(&place->places->places, &place->node);
}

/* ---- who has too many ------------------------------------------------------------------------ */

static const struct http_peer *greediest(const struct http_places *places, bool of_events)
{
    const struct http_peer *found = NULL;
    size_t most = 0;
    for (const struct list *node = places->peers.next; node != &places->peers; node = node->next) {
        const struct http_peer *peer = container_of(node, struct http_peer, node);
        size_t count = of_events ? peer->readers : peer->places;
        if (count > most) {
            most = count;
            found = peer;
        }
    }
    return found;
}

struct http_place *http_places_victim(const struct http_places *places)
{
    if (places->count < NET_HTTP_CONNECTIONS) {
        return NULL;
    }
    /* Readers of events have limits of their own, and are old by their nature: they go last. */
    const struct http_peer *peer = greediest(places, false);
    struct http_place *reader = NULL;
    for (struct list *node = places->places.next; node != &places->places; node = node->next) {
        struct http_place *place = container_of(node, struct http_place, node);
        if (place->peer != peer) {
            continue;
        }
        if (!place->reads_events) {
            return place;
        }
        reader = reader != NULL ? reader : place;
    }
    return reader;
}

/* The youngest one: its client comes again, and would else drive out the next one. */
struct http_place *http_places_reader_victim(const struct http_places *places,
                                             const struct http_peer *peer)
{
    const struct http_peer *greedy = greediest(places, true);
    if (greedy == NULL || greedy->readers <= peer->readers + 1) {
        return NULL;
    }
    for (struct list *node = places->places.prev; node != &places->places; node = node->prev) {
        struct http_place *place = container_of(node, struct http_place, node);
        if (place->peer == greedy && place->reads_events) {
            return place;
        }
    }
    return NULL;
}
