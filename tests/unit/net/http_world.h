/* The HTTP server under test, with handlers for its routes: each test names the routes it wants. */
#ifndef GRPCROUTE_TESTS_NET_HTTP_WORLD_H
#define GRPCROUTE_TESTS_NET_HTTP_WORLD_H

#include "net/http.h"

#include <stdbool.h>

#define HTTP_WORLD_BIG_BYTES   (4 * 1024 * 1024) /* of handle_big: more than one write */
#define HTTP_WORLD_PATIENCE_MS 20000

struct http_world {
    struct net_loop loop;
    struct net_http *http;
    unsigned hellos;
    unsigned acts;
    /* handle_slow is on another thread, and stays until it is let go. */
    uv_sem_t slow_began;
    uv_sem_t slow_may_end;
};

/* On 127.0.0.1; `routes` is borrowed. */
struct http_world *http_world_open(const struct net_http_route *routes);
void http_world_close(struct http_world *world);

/* Handlers, whose user is the world. "hello NAME", of the query. */
void http_world_hello(void *world, const struct net_http_request *request,
                      struct net_http_response *response);
void http_world_big(void *world, const struct net_http_request *request,
                    struct net_http_response *response);
void http_world_slow(void *world, const struct net_http_request *request,
                     struct net_http_response *response);
void http_world_act(void *world, const struct net_http_request *request,
                    struct net_http_response *response);

/* A blocking socket from 127.0.0.`host`, or -1; `receive_bytes` of its buffer, 0: the system's. */
int http_world_connect(uint8_t host, uint16_t port, int receive_bytes);

uint64_t http_world_now_ms(void);

#endif
