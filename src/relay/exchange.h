/* One stream through the relay: a downstream stream, an upstream stream, and what flows between.
 *
 *   ROUTING --endpoint chosen--> QUEUED --stream opened--> OPEN --response headers--> ANSWERING
 *   QUEUED, OPEN --provably unprocessed, nothing answered--> QUEUED, elsewhere if there is another
 *   any of these --end of the response, an answer of the relay's own, the client gone--> ENDING
 *   ENDING --both streams closed--> GONE (freed)
 *
 * The endpoint is chosen when the request's header block is complete, and never changes once a byte
 * was answered. Window credit flows back to a sender only when its bytes are in frames towards the
 * other side. */
#ifndef GRPCROUTE_RELAY_EXCHANGE_H
#define GRPCROUTE_RELAY_EXCHANGE_H

#include "base/buf.h"
#include "base/list.h"
#include "h2/session.h"
#include "relay/leave_reason.h"
#include "relay/reply.h"
#include "relay/stream_end.h"
#include "relay/streams.h"
#include "relay/upstream.h"

#include <stdbool.h>
#include <stdint.h>

/* Endpoints tried for one stream, the first included, and how often endpoints may refuse it, which
 * costs no attempt. */
#define EXCHANGE_ATTEMPTS 3
#define EXCHANGE_REFUSALS 10

struct client;
struct cluster;
struct endpoint;
struct headers_request;
struct routing;
struct stream_log_labels;
struct worker;

enum exchange_state {
    EXCHANGE_ROUTING,
    EXCHANGE_QUEUED,
    EXCHANGE_OPEN,
    EXCHANGE_ANSWERING,
    EXCHANGE_ENDING,
    EXCHANGE_GONE,
};

struct exchange {
    struct upstream_request upstream; /* towards the endpoint */
    struct h2_stream *downstream;     /* NULL once closed */
    struct worker *worker;            /* borrowed */
    struct client *client;            /* borrowed; NULL once the downstream stream has closed */
    struct list client_node;          /* client->exchanges */
    struct stream_record record;      /* what is shown of it */
    struct routing *routing;          /* owned reference: by which it was routed; NULL before */
    struct cluster *cluster;          /* of the routing */
    struct endpoint *endpoint;        /* owned reference */
    struct headers_request *request;  /* owned; kept until something is answered, for a retry */
    struct buf replay;                /* body bytes sent so far, likewise; or not sent yet */
    size_t credit_held; /* downstream bytes whose window credit waits for a frame upstream */
    uint64_t hash;
    uint64_t drain_ms;         /* when the drain ends it; 0: not draining */
    uint64_t age_due_ms;       /* when it is too old; 0: never */
    enum leave_reason leaving; /* why it is to end between two messages */
    uint64_t leaving_ms;       /* since when */
    struct leave_half half_up; /* of the client, while it is to end; the next one of the server */
    struct leave_half half_down;
    struct list answered_node; /* worker->answered, in the turn in which something was answered */
    enum exchange_state state;
    struct stream_end end;            /* set by the step into ENDING */
    struct stream_log_labels *labels; /* owned; NULL: there is no stream log */
    bool request_ended;               /* the client half-closed */
    enum reply_form reply_form;
    unsigned attempts;
    unsigned refusals;
};

/* Accepts a request of a client's. */
void exchange_begin(struct client *client, struct h2_stream *downstream,
                    const struct h2_block *block, bool end_stream);

/* Ends it with UNAVAILABLE because the proxy is going away. */
void exchange_shut_down(struct exchange *exchange);

/* Ends it with UNAVAILABLE on purpose: the client may come back at once, and is told how many of
 * its messages went to the endpoint. */
void exchange_leave(struct exchange *exchange, enum stream_reason reason, const char *message);

/* Bytes that wait in it, in either direction, and are given back when it is shed. */
size_t exchange_loose_bytes(const struct exchange *exchange);
/* The same, and the header blocks that its client does not read. */
size_t exchange_held_bytes(const struct exchange *exchange);
/* Drops them and ends it with RESOURCE_EXHAUSTED. */
void exchange_shed(struct exchange *exchange, enum stream_reason reason, const char *message);

/* The exchange of a node of its worker's streams. */
struct exchange *exchange_at(struct list *node);

#endif
