#include "role/pinger.h"

#include "base/mem.h"
#include "role/naming.h"
#include "rpc/frame.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a call of --method has said of who answers. */
struct role_heard {
    struct role_name server;
    struct role_name pod;
};

void role_pinger_init(struct role_pinger *pinger, const struct role_target *target,
                      const struct role_pinger_events *events, void *user)
{
    *pinger = (struct role_pinger){.target = target, .events = events, .user = user};
}

/* ---- PingPong -------------------------------------------------------------------------------- */

static void on_message(void *user, const uint8_t *bytes, size_t len)
{
    struct role_pinger *pinger = user;
    struct rpc_ping_response pong;
    if (rpc_ping_response_decode(bytes, len, &pong) == 0) {
        pinger->events->on_pong(pinger->user, &pong);
        return;
    }
    if (pinger->events->on_garbled != NULL) {
        pinger->events->on_garbled(pinger->user);
    }
    if (role_pinger_is_open(pinger)) {
        role_pinger_cancel(pinger);
    }
}

static void on_closed(void *user, const struct rpc_status *status)
{
    struct role_pinger *pinger = user;
    pinger->call = NULL;
    pinger->events->on_closed(pinger->user, status);
}

static const struct rpc_call_events ping_events = {
    .on_message = on_message,
    .on_closed = on_closed,
};

/* ---- a service of --method ------------------------------------------------------------------- */

static void hear_block(struct role_pinger *pinger, enum role_source_kind kind,
                       const struct h2_block *block)
{
    const struct role_service *service = pinger->target->service;
    role_name_from_block(&pinger->heard->server, &service->server, kind, block);
    role_name_from_block(&pinger->heard->pod, &service->pod, kind, block);
}

static void on_headers(void *user, const struct h2_block *block)
{
    hear_block(user, ROLE_SOURCE_HEADER, block);
}

static void on_trailers(void *user, const struct h2_block *block)
{
    hear_block(user, ROLE_SOURCE_TRAILER, block);
}

static void on_answer(void *user, const uint8_t *bytes, size_t len)
{
    struct role_pinger *pinger = user;
    const struct role_service *service = pinger->target->service;
    struct role_heard *heard = pinger->heard;
    char message[40];
    snprintf(message, sizeof(message), "(%zu bytes)", len);
    role_name_from_message(&heard->server, &service->server, bytes, len);
    role_name_from_message(&heard->pod, &service->pod, bytes, len);
    const struct rpc_ping_response pong = {
        .message = message,
        .server_version = heard->server.text,
        .server_id = heard->pod.text,
        .agent_id = "",
        .agent_version = "",
    };
    pinger->events->on_pong(pinger->user, &pong);
}

static const char *late(const struct role_source *source, const struct role_name *name)
{
    return source->kind == ROLE_SOURCE_TRAILER ? name->text : "";
}

static void on_call_over(void *user, const struct rpc_status *status)
{
    struct role_pinger *pinger = user;
    const struct role_service *service = pinger->target->service;
    struct role_heard *heard = pinger->heard;
    const struct role_naming naming = {
        .who = {.message = "",
                .server_version = late(&service->server, &heard->server),
                .server_id = late(&service->pod, &heard->pod),
                .agent_id = "",
                .agent_version = ""},
        .server_missing = heard->server.missing,
        .pod_missing = heard->pod.missing,
    };
    if (pinger->events->on_named != NULL) {
        pinger->events->on_named(pinger->user, &naming);
    }
    free(heard);
    pinger->heard = NULL;
    on_closed(pinger, status);
}

static const struct rpc_call_events service_events = {
    .on_headers = on_headers,
    .on_message = on_answer,
    .on_trailers = on_trailers,
    .on_closed = on_call_over,
};

static bool only_pods(const struct role_service *service)
{
    return service->server.kind == ROLE_SOURCE_NONE && service->pod.kind != ROLE_SOURCE_NONE;
}

bool role_is_unnamed(const struct role_service *service, const struct rpc_ping_response *pong)
{
    if (service == NULL) {
        return false;
    }
    return (only_pods(service) ? pong->server_id : pong->server_version)[0] == '\0';
}

const char *role_naming_missing(const struct role_service *service,
                                const struct role_naming *naming)
{
    return only_pods(service) ? naming->pod_missing : naming->server_missing;
}

/* ---- the call -------------------------------------------------------------------------------- */

size_t role_identity_fill(const struct role_target *target, const struct role_identity *identity,
                          struct h2_header out[static ROLE_IDENTITY_FIELDS])
{
    size_t count = 0;
    if (identity->version != NULL) {
        out[count++] = H2_HEADER(target->version_header, identity->version);
    }
    if (identity->second_version != NULL) {
        out[count++] = H2_HEADER(target->version_header, identity->second_version);
    }
    out[count++] = H2_HEADER(target->id_header, identity->id);
    return count + role_headers_fill(target->headers, out + count);
}

static int open_service(struct role_pinger *pinger, struct rpc_client *client,
                        struct rpc_call_config *config)
{
    config->path = pinger->target->service->path;
    config->message_limit_bytes = ROLE_ANSWER_LIMIT_BYTES;
    pinger->heard = mem_new(struct role_heard);
    int rv = rpc_call_start(client, config, &service_events, pinger, &pinger->call);
    if (rv != 0) {
        free(pinger->heard);
        pinger->heard = NULL;
    }
    return rv;
}

int role_pinger_open(struct role_pinger *pinger, struct rpc_client *client,
                     const struct role_identity *identity)
{
    struct h2_header metadata[ROLE_IDENTITY_FIELDS];
    struct rpc_call_config config = {
        .path = RPC_PING_PATH,
        .metadata = metadata,
        .metadata_count = role_identity_fill(pinger->target, identity, metadata),
    };
    assert(!role_pinger_is_open(pinger));
    return pinger->target->service != NULL
               ? open_service(pinger, client, &config)
               : rpc_call_start(client, &config, &ping_events, pinger, &pinger->call);
}

/* ---- pings ----------------------------------------------------------------------------------- */

static int send_message(struct role_pinger *pinger, const struct role_service *service)
{
    const void *bytes = service->message != NULL ? (const void *)service->message : "";
    int rv = rpc_call_send(pinger->call, bytes, service->message_len);
    if (rv == 0 && role_service_sends_once(service)) {
        role_pinger_half_close(pinger);
    }
    return rv;
}

int role_pinger_send(struct role_pinger *pinger, const struct rpc_ping_request *ping)
{
    if (pinger->target->service != NULL) {
        return send_message(pinger, pinger->target->service);
    }
    uint8_t bytes[RPC_MESSAGE_LIMIT_BYTES];
    size_t len = rpc_ping_request_encode(ping, bytes, sizeof(bytes));
    assert(len > 0); /* our own texts are shorter */
    return rpc_call_send(pinger->call, bytes, len);
}

void role_pinger_half_close(struct role_pinger *pinger)
{
    rpc_call_half_close(pinger->call);
}

void role_pinger_cancel(struct role_pinger *pinger)
{
    rpc_call_cancel(pinger->call);
}
