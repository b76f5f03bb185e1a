#include "role/pinger.h"

#include "rpc/frame.h"

#include <assert.h>
#include <string.h>

#define METADATA_MAX (3 + ROLE_HEADERS_MAX)

void role_pinger_init(struct role_pinger *pinger, const struct role_target *target,
                      const struct role_pinger_events *events, void *user)
{
    *pinger = (struct role_pinger){.target = target, .events = events, .user = user};
}

/* ---- the call -------------------------------------------------------------------------------- */

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

static const struct rpc_call_events call_events = {
    .on_message = on_message,
    .on_closed = on_closed,
};

static size_t fill_metadata(const struct role_target *target, const struct role_identity *identity,
                            struct h2_header out[static METADATA_MAX])
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

int role_pinger_open(struct role_pinger *pinger, struct rpc_client *client,
                     const struct role_identity *identity)
{
    struct h2_header metadata[METADATA_MAX];
    const struct rpc_call_config config = {
        .path = RPC_PING_PATH,
        .metadata = metadata,
        .metadata_count = fill_metadata(pinger->target, identity, metadata),
    };
    assert(!role_pinger_is_open(pinger));
    return rpc_call_start(client, &config, &call_events, pinger, &pinger->call);
}

/* ---- pings ----------------------------------------------------------------------------------- */

int role_pinger_send(struct role_pinger *pinger, const struct rpc_ping_request *ping)
{
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
