/* The insides of an agent. Seen by agent.c, call.c and end.c alone; calls go from left to right
 * only. */
#ifndef GRPCROUTE_AGENT_STATE_H
#define GRPCROUTE_AGENT_STATE_H

#include "agent/agent.h"
#include "agent/stream.h"
#include "base/log.h"
#include "role/pinger.h"
#include "rpc/backoff.h"
#include "rpc/client.h"

enum agent_state {
    AGENT_WAITING,    /* until the wake timer; a connection may be kept, or still be closing */
    AGENT_CONNECTING, /* a connection is being made, or an old one is not gone yet */
    AGENT_OPEN,       /* the stream is open */
    AGENT_FINISHING,  /* half-closed; the wake timer limits the wait for trailers */
    AGENT_LOSING,     /* the stream went with its connection, which has yet to say why */
    AGENT_LEAVING,    /* done but for the connection's end */
    AGENT_DONE,
};

struct agent {
    const struct agent_config *config; /* borrowed */
    char *id;                          /* owned */
    struct log_source source;
    enum agent_state state;
    uv_timer_t wake;
    uv_timer_cb on_wake;
    uv_timer_t ping;
    unsigned timers_open;
    struct rpc_client *client; /* NULL: none */
    struct role_pinger pinger;
    bool client_closing;
    bool was_connected;
    bool client_spent; /* GOAWAY: good for no further stream */
    bool stopping;
    bool retried_unprocessed; /* gRFC A6: at once, once */
    struct rpc_backoff backoff;
    uint64_t keepalive_ms;
    uint64_t messages_sent; /* over all streams */
    struct agent_stream stream;
    struct rpc_stream_life life;      /* of the stream that ended; AGENT_LOSING */
    unsigned findings_told;           /* each kind is a line once per stream */
    const char *given_up_label;       /* set when this side ended the stream; NULL otherwise */
    char given_up[RPC_MESSAGE_BYTES]; /* why */
};

/* ---- end.c: ends and retries ---- */

bool agent_has_sent_all(const struct agent *agent);
void agent_wait_for(struct agent *agent, uint64_t delay_ms);
/* Says why in one line and tries again. */
void agent_retry(struct agent *agent, const char *what, const char *reason, const char *cause,
                 uint64_t delay_ms);
/* The other end wanted it, and can take the stream again: now, or when it says. */
void agent_retry_planned(struct agent *agent, const char *cause, uint64_t delay_ms);
/* The stream is over, and `cause` is known. */
void agent_after_stream(struct agent *agent, const char *reason, const char *cause,
                        bool unprocessed);
void agent_leave(struct agent *agent);
/* Drops the connection; a new one is made when this one is gone. */
void agent_drop_client(struct agent *agent);
/* Ends the stream from this side; agent_after_stream() follows with `label` and the text. */
void agent_give_up(struct agent *agent, const char *label, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- call.c: the stream ---- */

void agent_call_init(struct agent *agent);
/* Opens the stream on the connection, and pings. */
void agent_open(struct agent *agent);
void agent_half_close(struct agent *agent, uint64_t limit_ms);

#endif
