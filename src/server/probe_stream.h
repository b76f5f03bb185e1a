/* One Run stream. Inside the probe service only: probe_send.c below probe_stream.c below
 * probe_service.c. */
#ifndef GRPCROUTE_SERVER_PROBE_STREAM_H
#define GRPCROUTE_SERVER_PROBE_STREAM_H

#include "rpc/probe.h"
#include "rpc/probe_reader.h"
#include "server/probe.h"

#include <uv.h>

/* What the streams of a connection share; lives as long as it. */
struct server_probe_connection {
    struct list records;
    size_t stream_count;
    struct server_probe_budget bytes;
    struct server_probe_budget starts;
};

/*   running --end_after_ms, half-close--> [grace] --grace_ms--> ending --message is out--> ended
 *   each of these --a limit--> ended */
enum server_probe_phase {
    PROBE_RUNNING,
    PROBE_GRACE,  /* GOAWAY is out */
    PROBE_ENDING, /* begins nothing more; a message, or what is before a reset, is being sent */
    PROBE_ENDED,  /* its end is given to the stream below */
};

struct server_probe_stream {
    struct server_probe *probe;                 /* borrowed */
    struct server_probe_connection *connection; /* borrowed */
    struct rpc_server_call *call;               /* borrowed until on_closed */
    struct server_probe_record *record;         /* NULL: brought no id, or forgotten */
    struct server_probe_facts facts;
    struct rpc_probe_script script; /* but its texts and fields */
    uint8_t *script_bytes;          /* owned: where these are */
    size_t script_len;
    struct rpc_probe_reader reader;
    uv_timer_t *timer; /* owned; for all that follows */
    enum server_probe_phase phase;
    uint64_t life_end_ms;
    uint64_t end_ms;   /* 0: none */
    bool dropped;      /* its client did not take the end */
    bool end_is_timed; /* life_end_ms is that of an end that waits for its reader */
    uint64_t send_ms;
    bool headers_sent;
    size_t payload_left; /* of the message that is being sent */
    uint64_t written_bytes;
    struct server_probe_budget bytes;
};

/* ---- probe_send.c ---------------------------------------------------------------------------- */

uint64_t server_probe_now_ms(const struct server_probe_stream *stream);

/* Ends a call with what the service says itself: with RPC_PROBE_BUSY_HEADER where that is of its
 * own room. */
void server_probe_finish(struct rpc_server_call *call, enum rpc_code code, const char *message);
/* Ends it for a limit, or for what cannot be done. */
void server_probe_refuse(struct server_probe_stream *stream, enum rpc_code code, const char *format,
                         ...) __attribute__((format(printf, 3, 4)));
/* Sends the response metadata of the script, unless it was; returns false when that ended it. */
bool server_probe_send_headers(struct server_probe_stream *stream);
/* Begins a message; its payload follows by server_probe_send_payload(). Returns false when that
 * ended the stream. */
bool server_probe_begin_message(struct server_probe_stream *stream, uint64_t sequence,
                                size_t payload_bytes);
/* Sends of the payload until so many bytes of it are left, or `most_queued` wait. */
void server_probe_send_payload(struct server_probe_stream *stream, size_t left, size_t most_queued);
/* Sends the script's status and trailers. */
void server_probe_send_status(struct server_probe_stream *stream);

/* ---- probe_stream.c -------------------------------------------------------------------------- */

/* The script is known, and good. */
void server_probe_stream_start(struct server_probe_stream *stream);
void server_probe_stream_bytes(struct rpc_server_call *call, const uint8_t *bytes, size_t len);
void server_probe_stream_sent(struct rpc_server_call *call);
void server_probe_stream_half_close(struct rpc_server_call *call);
/* Of a stream that is over: how, as its server saw it; `status` is what was to be sent, and becomes
 * what ended it where that never left. */
void server_probe_stream_settle(struct server_probe_stream *stream, struct rpc_status *status);

#endif
