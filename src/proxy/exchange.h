/* One stream through the proxy: a downstream stream, an upstream stream, and what flows between.
 *
 *   routing --endpoint chosen--> connecting --stream opened--> relaying --both closed--> gone
 *   connecting, relaying --provably unprocessed, nothing answered--> connecting on another endpoint
 *   any --no route, no endpoint, failure--> answered by the proxy (a gRPC status in trailers)
 *
 * The endpoint is chosen when the request's header block is complete, and never changes once a byte was answered. Window credit
 * flows back to a sender only when its bytes are in frames towards the other side. */
#ifndef GRPCROUTE_PROXY_EXCHANGE_H
#define GRPCROUTE_PROXY_EXCHANGE_H

#include "base/buf.h"
#include "base/list.h"
#include "h2/session.h"
#include "proxy/headers.h"
#include "proxy/message_count.h"
#include "proxy/observe.h"
#include "proxy/upstream.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define EXCHANGE_LABEL_BYTES OBSERVE_LABEL_BYTES /* of an agent-id or version */
/* Endpoints tried for one stream, the first included. */
#define EXCHANGE_ATTEMPTS 3

struct cluster;
struct endpoint;
struct worker;

struct exchange {
    struct upstream_request upstream; /* towards the endpoint */
    struct h2_stream *downstream;     /* NULL once closed */
    struct worker *worker;            /* borrowed */
    struct list node;                 /* worker->exchanges */
    struct cluster *cluster;
    struct endpoint *endpoint;        /* owned reference */
    struct proxy_headers *request;    /* owned; kept until something is answered, for a retry */
    struct proxy_headers *request_trailers; /* owned; kept for a retry */
    struct buf replay;                /* body bytes sent so far, likewise; or not sent yet */
    size_t credit_held;               /* downstream bytes whose window credit waits for a frame upstream */
    uint64_t hash;
    unsigned attempts;
    bool request_ended;   /* the client half-closed */
    bool end_in_headers;  /* ... with its header block */
    bool response_begun;
    bool response_ended;
    bool answered_here;   /* by the proxy itself */
    bool grpc;

    /* Shown by /streams; the texts are constant once listed, the counters are written by the worker. */
    char agent_id[EXCHANGE_LABEL_BYTES];
    char agent_version[EXCHANGE_LABEL_BYTES];
    uint64_t number;
    uint64_t opened_ms;
    uint64_t drain_ms; /* when the drain ends it; 0: not draining */
    struct message_count up;
    struct message_count down;
    struct observation seen;
};

/* Begins with a complete request block. The stream's user becomes the exchange, or NULL when it was answered at once. */
void exchange_begin(struct worker *worker, struct h2_stream *downstream,
                    const struct h2_block *block, bool end_stream);

/* Ends it with UNAVAILABLE because the proxy is going away. */
void exchange_shut_down(struct exchange *exchange);

#endif
