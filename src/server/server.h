/* What the services of a server share. */
#ifndef GRPCROUTE_SERVER_SERVER_H
#define GRPCROUTE_SERVER_SERVER_H

#include "base/list.h"
#include "base/log.h"
#include "rpc/server.h"
#include "server/metrics.h"

#include <stdbool.h>
#include <stdint.h>

#define SERVER_NAME_BYTES 256 /* of an agent-id or agent-version; longer is cut */

struct server_probe;

struct server {
    struct log_source source;
    const char *version;
    const char *id;
    bool draining;        /* health says NOT_SERVING */
    struct list watchers; /* open Health.Watch calls */
    struct server_metrics metrics;
    struct server_probe *probe; /* borrowed; NULL: not served. probe.h */
    uint64_t fd_limit_told_ms;  /* 0: not yet */
};

/* The method tables; each function is a struct rpc_method callback. ping_service.c */
void server_ping_start(struct rpc_server_call *call, const struct h2_block *metadata, void *server);
void server_ping_message(struct rpc_server_call *call, const uint8_t *bytes, size_t len);
void server_ping_half_close(struct rpc_server_call *call);
void server_ping_closed(struct rpc_server_call *call, const struct rpc_status *status);

/* health_service.c */
void server_health_check_message(struct rpc_server_call *call, const uint8_t *bytes, size_t len);
void server_health_watch_start(struct rpc_server_call *call, const struct h2_block *metadata,
                               void *server);
void server_health_watch_message(struct rpc_server_call *call, const uint8_t *bytes, size_t len);
void server_health_watch_closed(struct rpc_server_call *call, const struct rpc_status *status);
void server_health_start(struct rpc_server_call *call, const struct h2_block *metadata,
                         void *server);
void server_health_half_close(struct rpc_server_call *call);
/* From now on everything is NOT_SERVING, and watchers hear it. */
void server_health_drain(struct server *server);

/* reflection_service.c */
void server_reflection_message(struct rpc_server_call *call, const uint8_t *bytes, size_t len);
void server_reflection_half_close(struct rpc_server_call *call);

#endif
