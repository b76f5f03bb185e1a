/* One worker's connections to one endpoint, shared by the streams of all clients of a lane.
 *
 * Happy path: upstream_submit() -> a connection with room exists, or is dialled -> on_ready() opens
 * the stream.
 * Failure modes: the connection cannot be made: every waiting request gets on_failed(), the
 * endpoint is unhealthy; all connections are full: more are made, within a bound; the endpoint
 * allows no streams (MAX_CONCURRENT_STREAMS 0): requests wait a moment, then fail with that cause;
 * GOAWAY: the connection only finishes its streams.
 *
 * What keeps the connection that all share alive, whatever a client does:
 * - no stream before the endpoint's SETTINGS, so that nothing is refused for a wrong guess;
 * - resets are rationed as endpoints count them, see upstream_reset();
 * - who holds the credit of the whole connection while others wait for it loses those streams, see
 *   on_clogged. */
#ifndef GRPCROUTE_RELAY_UPSTREAM_H
#define GRPCROUTE_RELAY_UPSTREAM_H

#include "base/list.h"
#include "h2/session.h"
#include "net/error.h"

#include <stdbool.h>
#include <stdint.h>

#define UPSTREAM_CONNECT_TIMEOUT_MS 5000
/* What an endpoint may have on its way to us. Credit returns as bytes arrive, so this bounds no
 * stream; but an endpoint that queues each answer as a frame of its own (Envoy: at most 10000) must
 * not be asked to queue a megabyte of small ones. */
#define UPSTREAM_WINDOW_BYTES (128 * 1024)
/* gRPC servers allow a PING every 5 minutes without being asked (gRFC A8); dead peers are found
 * sooner by the health checks, which use the same connections and make them prove that they
 * live. */
#define UPSTREAM_KEEPALIVE_MS         300000
#define UPSTREAM_KEEPALIVE_TIMEOUT_MS 6000
/* How long a request waits for a connection that takes it. */
#define UPSTREAM_QUEUE_MS 5000
/* Connections of a pool: being made at a time, and in all. */
#define UPSTREAM_DIALS_MAX 8
#define UPSTREAM_CONNS_MAX 512
/* A connection that only a burst made necessary is closed after this long without a stream. */
#define UPSTREAM_IDLE_MS 10000
/* A connection whose credit is used up while others wait is looked at after this long; after the
 * longer time where several clients use it up together, or where there is credit left for those
 * that hold little of it. */
#define UPSTREAM_CLOG_MS      500
#define UPSTREAM_CLOG_WAIT_MS 2000
/* ... on end, in which the endpoint gives back less than this. */
#define UPSTREAM_CLOG_FLOW_BYTES (16 * 1024)
/* So long an endpoint is known to withhold credit; in RPC_CHECK_GAP_MS no second PING may ask it.
 */
#define UPSTREAM_CLOG_AGAIN_MS 10000
/* Where several clients use it up together, each of those that lose streams holds more than this
 * part of it, and somebody who waits at most the other: one part of so many. */
#define UPSTREAM_CLOG_CROWD           16
#define UPSTREAM_CLOG_NEXT_TO_NOTHING 64
/* So many dropped streams are then reset at a time, without regard to the ration below, for the
 * credit that they hold. */
#define UPSTREAM_CLOG_RESETS 16
/* Endpoints count resets, those of young streams above all, and end the connection of who sends too
 * many (CVE-2023-44487). nghttp2 takes 1000 and 33 more a second; Envoy counts seconds above 1 and
 * lets half of all streams, or 250, go young. A connection stays below both: this many resets and
 * so many a second; of them so many young ones, and no more than a quarter of the streams that
 * ended besides. */
#define UPSTREAM_RESETS       800
#define UPSTREAM_RESETS_PER_S 25
#define UPSTREAM_YOUNG_RESETS 50
#define UPSTREAM_YOUNG_PER_S  8
#define UPSTREAM_YOUNG_SHARE  4
/* A stream is old when the endpoint has provably read its request this many ticks of the loop ago:
 * 2.5 s, by the endpoint's clock, too. */
#define UPSTREAM_OLD_TICKS 10
/* Resets that wait keep their streams open, and endpoints bound these, too (Envoy: 1024). Of more
 * than this many the oldest go when they are no longer young for most. */
#define UPSTREAM_WAITING_RESETS   256
#define UPSTREAM_WAITING_RESET_MS 1250
/* A connection that has so many of them and nothing else is ended. */
#define UPSTREAM_ABANDONED_RESETS 20
/* None waits longer than this for its stream to become old. */
#define UPSTREAM_RESET_LIMIT_MS 60000
/* What an endpoint has queued for a stream it drops when that is reset, which may take it 20
 * microseconds a message (grpc-js) in which it does nothing else. So many unanswered messages are
 * dropped at a time, counting no more of a stream than that, and few of them as none. While it is
 * heard soon after, it is twice as many with the next tick of the loop; one that is silent for that
 * long gets half as many. It begins anew after a pause. */
#define UPSTREAM_DROP_MESSAGES  4000
#define UPSTREAM_DROP_MIN       1000
#define UPSTREAM_DROP_MAX       16000
#define UPSTREAM_DROP_OF_STREAM 8000
#define UPSTREAM_DROP_FEW       50
#define UPSTREAM_DROP_HEARD_MS  100
#define UPSTREAM_DROP_SILENT_MS 1000
#define UPSTREAM_DROP_PAUSE_MS  10000
/* With this many, the next streams of clients that only just came wait until there are fewer, but
 * no longer than that: a storm may go on, and most of its streams are gone by then. */
#define UPSTREAM_CROWDED_RESETS   200
#define UPSTREAM_NEWCOMER_MS      10000
#define UPSTREAM_NEWCOMER_WAIT_MS 3000

struct client;
struct endpoint;
struct upstream;
struct upstream_conn;
struct worker;

/* Who wants a stream to an endpoint: an exchange or a health check. Embedded. */
struct upstream_request {
    const struct upstream_request_events *events;
    struct client *client;      /* whom its trouble is charged to; NULL: nobody */
    unsigned lane;              /* of the connection it wants */
    struct upstream *upstream;  /* set while waiting and while open */
    struct upstream_conn *conn; /* set while open */
    struct h2_stream *stream;   /* set by on_ready; NULL again with upstream_closed() */
    struct list node;           /* of those that wait, or of the connection's */
    struct list reset_node;     /* of those whose reset waits */
    uint64_t since_ms;          /* when it began to wait, then when it was opened */
    uint64_t reset_ms;          /* since when its reset waits */
    uint32_t reset_code;
    bool urgent; /* its reset frees what others wait for: it never waits */
};

struct upstream_request_events {
    /* Open the stream on `session`: h2_stream_open(..., &request->stream), with events of your own
     * whose on_close begins with upstream_closed(). Returns what that returned. */
    int (*on_ready)(struct upstream_request *request, struct h2_session *session);
    /* No connection; the request is no longer waiting. */
    void (*on_failed)(struct upstream_request *request, const struct net_error *why);
    /* The stream holds the credit of a connection that others wait for: end it. NULL: it never
     * does. */
    void (*on_clogged)(struct upstream_request *request);
    /* How many messages were passed on that the endpoint has not answered. NULL: hardly any. */
    uint64_t (*unanswered)(const struct upstream_request *request);
};

void upstream_request_init(struct upstream_request *request,
                           const struct upstream_request_events *events);

/* The worker's pool for an endpoint, made when needed. */
struct upstream *upstream_get(struct worker *worker, struct endpoint *endpoint);

/* Asks for a stream; on_ready or on_failed may fire before the return. */
void upstream_submit(struct upstream *upstream, struct upstream_request *request);

/* Withdraws a waiting request; harmless otherwise. */
void upstream_cancel(struct upstream_request *request);

/* Resets the request's stream, if it has one, at once or soon: until on_close its events go on. A
 * reset that an endpoint might hold against the connection waits until its stream is old or few
 * were sent. */
void upstream_reset(struct upstream_request *request, uint32_t code);

/* True while a reset of the request's stream waits. */
bool upstream_resets(const struct upstream_request *request);

/* The request's stream is refused (REFUSED_STREAM): its connection takes no other until the next
 * tick. Before upstream_closed(). */
void upstream_refused(struct upstream_request *request);

/* The request's stream has closed, as its endpoint broke the connection's rules. Returns true once
 * for each connection. Before upstream_closed(). */
bool upstream_note_broken(struct upstream_request *request);

/* The request's stream has closed: from its on_close. */
void upstream_closed(struct upstream_request *request);

/* Young by our clock: opened less than a second ago. */
bool upstream_is_young(const struct upstream_request *request);

/* Lets pools of removed endpoints finish, closes idle connections, probes those of unhealthy
 * endpoints, sends the resets that waited, fails who waited too long, looks after clogged
 * connections. Called on the worker's tick. */
void upstream_tick_all(struct worker *worker);

/* Closes all connections; the pools are freed as these end. */
void upstream_close_all(struct worker *worker);

#endif
