/* What an agent knows of the stream it holds: pings and answers, who answered, what was wrong.
 * Pure. */
#ifndef GRPCROUTE_AGENT_STREAM_H
#define GRPCROUTE_AGENT_STREAM_H

#include "agent/stats.h"
#include "role/expect.h"
#include "role/pinger.h"
#include "rpc/hint.h"
#include "rpc/ping.h"

#include <stdbool.h>
#include <stdint.h>

/* Send times kept: the round trip of a ping that waits behind more than this is not measured. */
#define AGENT_STREAM_TIMES 32
#define AGENT_POD_BYTES    128

/* What can be wrong with an answer; a set of bits. */
enum agent_finding {
    AGENT_WRONG_VERSION = 1, /* the server is none that the agent belongs to */
    AGENT_MOVED = 2,         /* another pod answers than before on this stream */
    AGENT_MIXED = 4,         /* the server saw the metadata of another agent */
    AGENT_LOST = 8,          /* answers are missing before this one */
    AGENT_UNEXPECTED = 16,   /* belongs to no ping, or was there before */
};

/* Who the agent is. Borrowed. */
struct agent_identity {
    const char *version;
    const char *id;
    const struct role_expectation *expect; /* of the servers that answer */
    /* NULL: PingPong. Of another it is not known how many answers are right, and their names may be
     * missing. */
    const struct role_service *service;
};

/* A zeroed struct, then agent_stream_open(). */
struct agent_stream {
    uint64_t opened_ns;
    uint64_t last_message_ns;  /* in either direction */
    uint64_t half_closed_ns;   /* 0: not yet */
    uint64_t waiting_since_ns; /* while a ping is unanswered: since it, or since the last answer */
    uint64_t sent;             /* also the sequence of the last ping */
    uint64_t answered;         /* sequence of the last answer */
    uint64_t received;
    uint64_t unexpected;
    uint64_t sent_ns[AGENT_STREAM_TIMES]; /* by sequence */
    char pod[AGENT_POD_BYTES];            /* the first that answered; cut */
};

void agent_stream_open(struct agent_stream *stream, struct agent_stats *stats, uint64_t now_ns);

/* Makes the next ping; agent_stream_sent() counts it once it is queued. */
struct rpc_ping_request agent_stream_next_ping(const struct agent_stream *stream, uint64_t now_ns);
void agent_stream_sent(struct agent_stream *stream, struct agent_stats *stats, uint64_t now_ns);

/* The agent has half-closed the stream. */
void agent_stream_half_closed(struct agent_stream *stream, uint64_t now_ns);

/* Counts an answer and judges it. Returns a set of enum agent_finding, 0 when all is well. A server
 * without our extension fields is judged by the original three; its answers are taken to be in
 * order. */
unsigned agent_stream_answer(struct agent_stream *stream, struct agent_stats *stats,
                             const struct agent_identity *self,
                             const struct rpc_ping_response *response, uint64_t now_ns);

/* True when pings wait and no answer has come for longer than `limit_ms`. */
bool agent_stream_overdue(const struct agent_stream *stream, uint64_t limit_ms, uint64_t now_ns);

/* Nobody saw what was sent after the first `received` messages: it is not lost. */
void agent_stream_received(struct agent_stream *stream, struct agent_stats *stats,
                           uint64_t received);

/* Counts the end; what is outstanding is lost. Returns how the stream lived. */
struct rpc_stream_life agent_stream_close(struct agent_stream *stream, struct agent_stats *stats,
                                          uint64_t now_ns);

#endif
