/* grpc.health.v1.Health: Check and Watch of the whole server ("") and of its services. */
#include "base/mem.h"
#include "rpc/health.h"
#include "server/server.h"

#include <stdlib.h>
#include <string.h>

/* One Watch call. */
struct watcher {
    struct list node; /* server->watchers */
    struct rpc_server_call *call;
    bool known; /* the service asked for is ours */
};

static bool is_known(const struct server *server, const char *service)
{
    return service[0] == '\0' || strcmp(service, "ping.PingService") == 0 ||
           (server->probe != NULL && strcmp(service, "probe.ProbeService") == 0);
}

static enum rpc_health_status status_of(const struct server *server, bool known)
{
    if (!known) {
        return RPC_HEALTH_SERVICE_UNKNOWN;
    }
    return server->draining ? RPC_HEALTH_NOT_SERVING : RPC_HEALTH_SERVING;
}

static void send_status(struct rpc_server_call *call, enum rpc_health_status status)
{
    uint8_t bytes[RPC_HEALTH_RESPONSE_BYTES];
    size_t len = rpc_health_response_encode(status, bytes);
    if (rpc_server_call_send(call, bytes, len) != 0) {
        rpc_server_call_finish(call, RPC_RESOURCE_EXHAUSTED, "client does not read the answers");
    }
}

void server_health_start(struct rpc_server_call *call, const struct h2_block *metadata,
                         void *server)
{
    (void)call;
    (void)metadata;
    (void)server;
}

void server_health_check_message(struct rpc_server_call *call, const uint8_t *bytes, size_t len)
{
    struct server *server = rpc_server_call_server_user(call);
    const char *service;
    if (rpc_health_request_decode(bytes, len, &service) != 0) {
        rpc_server_call_finish(call, RPC_INTERNAL, "message is not a HealthCheckRequest");
    } else if (!is_known(server, service)) {
        rpc_server_call_finish(call, RPC_NOT_FOUND, "unknown service");
    } else {
        send_status(call, status_of(server, true));
        rpc_server_call_finish(call, RPC_OK, NULL);
    }
}

void server_health_half_close(struct rpc_server_call *call)
{
    rpc_server_call_finish(call, RPC_INTERNAL, "request message is missing");
}

void server_health_watch_start(struct rpc_server_call *call, const struct h2_block *metadata,
                               void *user)
{
    (void)metadata;
    (void)user;
    struct watcher *watcher = mem_new(struct watcher);
    watcher->call = call;
    list_init(&watcher->node);
    rpc_server_call_set_user(call, watcher);
}

void server_health_watch_message(struct rpc_server_call *call, const uint8_t *bytes, size_t len)
{
    struct server *server = rpc_server_call_server_user(call);
    struct watcher *watcher = rpc_server_call_user(call);
    const char *service;
    if (rpc_health_request_decode(bytes, len, &service) != 0) {
        rpc_server_call_finish(call, RPC_INTERNAL, "message is not a HealthCheckRequest");
        return;
    }
    if (!list_empty(&watcher->node)) {
        rpc_server_call_finish(call, RPC_INTERNAL, "Watch takes one message");
        return;
    }
    watcher->known = is_known(server, service);
    list_append(&server->watchers, &watcher->node);
    send_status(call, status_of(server, watcher->known));
}

void server_health_watch_closed(struct rpc_server_call *call, const struct rpc_status *status)
{
    (void)status;
    struct watcher *watcher = rpc_server_call_user(call);
    list_remove(&watcher->node);
    free(watcher);
}

void server_health_drain(struct server *server)
{
    server->draining = true;
    struct list *node;
    struct list *next;
    list_each(node, next, &server->watchers)
    {
        struct watcher *watcher = container_of(node, struct watcher, node);
        if (watcher->known) {
            send_status(watcher->call, RPC_HEALTH_NOT_SERVING);
        }
    }
}
