#include "http_world.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

struct http_world *http_world_open(const struct net_http_route *routes)
{
    struct http_world *world = mem_new(struct http_world);
    struct net_error error;
    const struct text_address address = {.host = "127.0.0.1"};
    assert_int_equal(net_loop_init(&world->loop), 0);
    uv_sem_init(&world->slow_began, 0);
    uv_sem_init(&world->slow_may_end, 0);
    world->http = net_http_open(&world->loop, &address, routes, world, &error);
    assert_non_null(world->http);
    return world;
}

void http_world_close(struct http_world *world)
{
    net_http_close(world->http);
    net_loop_deinit(&world->loop);
    uv_sem_destroy(&world->slow_began);
    uv_sem_destroy(&world->slow_may_end);
    free(world);
}

/* ---- handlers -------------------------------------------------------------------------------- */

void http_world_hello(void *user, const struct net_http_request *request,
                      struct net_http_response *response)
{
    struct http_world *world = user;
    const char *name = net_http_query(request, "name");
    world->hellos++;
    name = name != NULL ? name : "nobody";
    buf_append(&response->body, "hello ", 6, SIZE_MAX);
    buf_append(&response->body, name, strlen(name), SIZE_MAX);
    buf_append(&response->body, "\n", 1, SIZE_MAX);
}

void http_world_big(void *user, const struct net_http_request *request,
                    struct net_http_response *response)
{
    (void)user;
    (void)request;
    memset(buf_reserve(&response->body, HTTP_WORLD_BIG_BYTES), 'x', HTTP_WORLD_BIG_BYTES);
    buf_commit(&response->body, HTTP_WORLD_BIG_BYTES);
    response->content_type = "application/octet-stream";
}

void http_world_slow(void *user, const struct net_http_request *request,
                     struct net_http_response *response)
{
    struct http_world *world = user;
    uv_sem_post(&world->slow_began);
    uv_sem_wait(&world->slow_may_end);
    http_world_hello(user, request, response);
}

void http_world_act(void *user, const struct net_http_request *request,
                    struct net_http_response *response)
{
    struct http_world *world = user;
    (void)request;
    (void)response;
    world->acts++;
}

/* ---- clients --------------------------------------------------------------------------------- */

int http_world_connect(uint8_t host, uint16_t port, int receive_bytes)
{
    const struct sockaddr_in own = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + host),
    };
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    const struct timeval patience = {.tv_sec = HTTP_WORLD_PATIENCE_MS / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (receive_bytes > 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
    }
    if (bind(fd, (const struct sockaddr *)&own, sizeof(own)) != 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

uint64_t http_world_now_ms(void)
{
    return uv_hrtime() / 1000000;
}
