/* What a stream that is held has seen: noted in the result. */
#ifndef GRPCROUTE_FAILOVER_HELD_NOTE_H
#define GRPCROUTE_FAILOVER_HELD_NOTE_H

#include "failover/held.h"
#include "role/pinger.h"

struct failover_held_stream {
    struct failover_held *held;
    struct failover_stream *seen;
    struct rpc_client *client;
    struct role_pinger pinger;
    uv_timer_t timer;                 /* opens again */
    char server[FAILOVER_NAME_BYTES]; /* that answered last; escaped */
    uint64_t last_pong_ns;
    uint64_t call_heard_ns; /* its last answer, or its begin */
    uint64_t call_sent;
    uint64_t call_answered;
    bool answered_since_fault;
    const char *unstarted; /* why its call was not started; static; NULL: it was */
};

bool failover_fault_began(const struct failover_held *held);

/* The stream was silent until now, when `server` answers; "": nobody does. */
void failover_note_gap(struct failover_held_stream *stream, uint64_t now_ns, const char *server);
/* The open call was silent until now, and then this happens. */
void failover_note_silence(struct failover_held_stream *stream, uint64_t now_ns,
                           enum failover_hole_end end);
/* The stream or its connection ended. */
void failover_note_cause(struct failover_held_stream *stream, const char *text);
/* The server ended the stream that was half-closed. */
void failover_note_end(struct failover_held_stream *stream, const struct rpc_status *status);
/* A server answers; before the stream's own counts change. */
void failover_note_answer(struct failover_held_stream *stream, const struct rpc_ping_response *pong,
                          uint64_t now_ns);

#endif
