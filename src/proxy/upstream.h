/* One worker's connections to one endpoint, shared by the streams of all downstream connections.
 *
 * Happy path: upstream_submit() -> a connection with room exists, or is dialled -> on_ready() opens the stream.
 * Failure modes: the connection cannot be made: every waiting request gets on_failed(), the endpoint is unhealthy; the
 * peer's MAX_CONCURRENT_STREAMS is reached: another connection; GOAWAY: the connection only finishes its streams. */
#ifndef GRPCROUTE_PROXY_UPSTREAM_H
#define GRPCROUTE_PROXY_UPSTREAM_H

#include "base/list.h"
#include "h2/session.h"
#include "net/error.h"

#include <stdbool.h>
#include <stdint.h>

#define PROXY_CONNECT_TIMEOUT_MS 5000
/* gRPC servers allow a PING every 5 minutes without being asked (gRFC A8); dead peers are found sooner by the
 * health checks, which use the same connections. */
#define PROXY_UPSTREAM_KEEPALIVE_MS 300000
#define PROXY_UPSTREAM_KEEPALIVE_TIMEOUT_MS 5000

struct endpoint;
struct upstream;
struct worker;

/* Servers count resets of streams that are young, and end the connection of who sends too many
 * (CVE-2023-44487): with it would go the streams of every other client. Beyond a share of what ours
 * allows (h2/limits.h) a reset waits until its stream is old, by the server's clock, too. */
#define PROXY_RESET_WAIT_MS 1500

/* Who wants a stream to an endpoint: an exchange or a health probe. Embedded; the stream's user. */
struct upstream_request {
    const struct upstream_request_events *events;
    struct list waiting; /* in the upstream's queue until on_ready or on_failed; later for a reset
                            that must wait */
    struct upstream *upstream; /* set while waiting or while `stream` is set */
    struct h2_stream *stream;  /* set by on_ready; NULL again before on_close is called */
    uint64_t opened_ms;
    uint32_t reset_code; /* of a reset that waits */
};

struct upstream_request_events {
    /* Open the stream on `session` with `request` as its user: h2_stream_open(..., &upstream_stream_events, request, &request->stream). Returns
     * what that returned. */
    int (*on_ready)(struct upstream_request *request, struct h2_session *session);
    /* No connection; the request is no longer waiting. */
    void (*on_failed)(struct upstream_request *request, const struct net_error *why);
    /* The stream's events, as in h2_events. */
    void (*on_block)(struct upstream_request *request, enum h2_block_kind kind,
                     const struct h2_block *block, bool end_stream);
    void (*on_data)(struct upstream_request *request, const uint8_t *bytes, size_t len);
    void (*on_end)(struct upstream_request *request);
    void (*on_sent)(struct upstream_request *request, size_t len);
    void (*on_close)(struct upstream_request *request, uint32_t error, bool unprocessed);
};

/* Pass a stream's events on to its request. */
extern const struct h2_stream_events upstream_stream_events;

/* The worker's pool for an endpoint, made when needed. */
struct upstream *upstream_get(struct worker *worker, struct endpoint *endpoint);

/* Asks for a stream; on_ready or on_failed may fire before the return. */
void upstream_submit(struct upstream *upstream, struct upstream_request *request);

/* Withdraws a waiting request; harmless otherwise. */
void upstream_cancel(struct upstream_request *request);

/* Resets the request's stream, if it has one, at once or soon: until on_close its events go on. */
void upstream_reset(struct upstream_request *request, uint32_t code);

/* Lets pools of removed endpoints finish, frees idle ones, probes connections to unhealthy
 * endpoints, sends the resets that waited. Called on the worker's tick. */
void upstream_tick_all(struct worker *worker);

/* Closes all connections; the pools are freed as these end. */
void upstream_close_all(struct worker *worker);

struct endpoint *upstream_endpoint(const struct upstream *upstream);

#endif
