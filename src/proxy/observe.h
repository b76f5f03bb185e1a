/* What is seen of a stream for people: live messages, who answered, whether that was right, how
 * long answers take.
 *
 * Everything here is written by the stream's worker and read by the admin port: counters are
 * relaxed atomics with one writer, texts change under the worker's mutex of exchanges. */
#ifndef GRPCROUTE_PROXY_OBSERVE_H
#define GRPCROUTE_PROXY_OBSERVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OBSERVE_LABEL_BYTES   96 /* of a text that is shown; longer is cut */
#define OBSERVE_VERSION_BYTES 32
/* Pairs of agent version and cluster that a worker tells apart at a time; more are counted
 * together. */
#define OBSERVE_FLOWS 64
/* A first answer is looked at only up to this size. */
#define OBSERVE_MESSAGE_BYTES 1024

struct cluster;
struct endpoint;
struct exchange;
struct h2_block;
struct worker;

/* Live streams of one agent version on one cluster. */
struct observe_flow {
    char version[OBSERVE_LABEL_BYTES];
    const struct cluster *cluster;
    atomic_uint_fast64_t streams; /* 0: the place is free */
    atomic_uint_fast64_t misrouted;
};

/* Of one worker. The last flow counts what has no place of its own. */
struct observe_flows {
    struct observe_flow flows[OBSERVE_FLOWS + 1];
};

/* Of one stream. */
struct observation {
    struct observe_flow *flow; /* of the worker; NULL while there is no endpoint */
    uint64_t asked_ns; /* the oldest message without an answer; 0: none, or nobody watches */
    bool peek;         /* a ping stream whose first answer did not come yet */
    bool misrouted;
    char server_version[OBSERVE_VERSION_BYTES]; /* empty: not known */
    char server_id[OBSERVE_LABEL_BYTES];
};

/* The request's block is complete. */
void observe_request(struct exchange *exchange, const struct h2_block *block);

/* An endpoint was chosen (under the worker's mutex); the stream leaves it. */
void observe_chosen(struct exchange *exchange);
void observe_left(struct exchange *exchange);

/* `messages` more began in bytes from the client, or in these bytes from the endpoint. */
void observe_up(struct exchange *exchange, size_t messages);
void observe_down(struct exchange *exchange, size_t messages, const uint8_t *bytes, size_t len);

/* True when an agent of version vX.Y is answered by another version than vX; false when the agent's
 * version is no such thing. */
bool observe_is_misroute(const char *agent_version, const char *server_version);

#endif
