/* Whose turn it is: requests that cost something are answered one at a time, so that no client's
 * requests hold those of another up, nor what else the loop does. Only net/http*.c include this.
 *
 *   request -> waits -> its turn: made on the loop, or apart from it -> on_made -> sent
 *                  `-- the client is gone: dropped, or freed when it is made
 *
 * The next turn is that of the route that was served longest ago, and there of the address; after
 * it there is a rest as long as it took. */
#ifndef GRPCROUTE_NET_HTTP_TURNS_H
#define GRPCROUTE_NET_HTTP_TURNS_H

#include "base/list.h"
#include "net/http.h"
#include "net/http_request.h"

#include <uv.h>

struct http_place;
struct http_places;

#define HTTP_TEXT_TYPE "text/plain; charset=utf-8"

/* Of one request. The other thread sees nothing of libevent's. */
struct http_turn {
    struct list node;
    struct http_place *place; /* borrowed; NULL: the client is gone */
    const struct net_http_route *route;
    struct net_http_request request;   /* owned */
    struct net_http_response response; /* its body is owned */
};

struct http_turns {
    const struct net_http_route *routes; /* borrowed, as `places` and the user */
    struct http_places *places;
    void *user;
    struct list waiting;
    uint64_t *served;        /* of each route: the moment of its last turn */
    struct http_turn *apart; /* is being made on another thread */
    uint64_t due_ns;         /* when the rest ends */
    uv_timer_t timer;
    uv_work_t work;
    uv_sem_t made; /* the other thread is done */
    bool ending;
    unsigned open; /* timer and work */
    /* It is to be sent at once: its body is taken, or goes with it. */
    void (*on_made)(struct http_turns *turns, struct http_turn *turn);
    void (*on_ended)(struct http_turns *turns);
};

/* `routes` ends with a NULL path. Set the callbacks after it. The timer does not keep the loop
 * alive. */
void http_turns_init(struct http_turns *turns, uv_loop_t *loop, const struct net_http_route *routes,
                     struct http_places *places, void *user);

/* Waits for the turn of `route` in this place. `request` is moved. */
void http_turns_wait(struct http_turns *turns, struct http_place *place,
                     const struct net_http_route *route, struct net_http_request *request);

/* The client of that turn is gone. */
void http_turns_drop(struct http_turns *turns, struct http_turn *turn);

/* Waits for the one that is being made. All must have been dropped. Ends with on_ended(), once the
 * loop has run. */
void http_turns_end(struct http_turns *turns);

#endif
