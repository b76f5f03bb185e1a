/* The insides of a session, shared by the files of h2/ and seen by no one else. */
#ifndef GRPCROUTE_H2_INTERNAL_H
#define GRPCROUTE_H2_INTERNAL_H

#include "base/buf.h"
#include "base/list.h"
#include "h2/block.h"
#include "h2/budget.h"
#include "h2/frame_scan.h"
#include "h2/session.h"

#include <nghttp2/nghttp2.h>

/* Streams the peer ended lately; a frame on one of them is its mistake, not a race with our reset. */
#define H2_ENDED_STREAMS 8

struct h2_session {
    nghttp2_session *ng; /* owned */
    uint8_t *mapping;    /* owned; where ng lives, see memory.c; NULL: on the heap */
    bool mapping_tried;
    bool frame_buffer_used;
    enum h2_role role;
    struct h2_limits limits;
    const struct h2_events *events; /* borrowed */
    void *user;
    void (*on_output)(void *ctx);
    void *output_ctx;
    const char *reason; /* static; why the session has to end */

    uint64_t now_ms; /* of the call we are in */
    uint64_t opened_ms;
    uint64_t last_read_ms;
    uint64_t block_started_ms; /* 0: no header block is open */

    /* What the peer may cost us. */
    struct h2_budget budget;
    struct h2_frame_scan scan;
    uint32_t window_updates; /* still free */
    uint32_t pings_unanswered; /* ours */
    int32_t newest_peer_id;  /* highest stream id the peer opened */
    int32_t skipped_from;    /* ids in [from, to] were jumped over, so they can never be opened */
    int32_t skipped_to;
    int32_t ended_ids[H2_ENDED_STREAMS];
    unsigned ended_next;

    struct list streams;
    size_t stream_count;
    struct h2_block_reader *block; /* owned; the header block being received */

    /* Flow control of the connection: received bytes that no stream consumed yet, and the part of them whose
     * credit the peer did not get back. */
    size_t buffered_bytes;
    size_t withheld_bytes;

    /* The pull in progress. */
    uint8_t *out;
    size_t out_len;
    size_t out_capacity;
    const uint8_t *rest; /* of a frame that did not fit; nghttp2's until its next send */
    size_t rest_len;

    bool output_asked;
    bool ready;
    bool settings_acked;
    bool goaway_received;
    bool goaway_sent;
    bool terminated; /* nothing more is read */
    bool sent_since_ping;
};

struct h2_trailers {
    nghttp2_nv *fields;
    size_t count;
    char *text; /* what the fields point to */
};

struct h2_stream {
    struct list node;
    struct h2_session *session;
    void *user;
    struct buf out;              /* body bytes that wait for a frame */
    struct h2_trailers *trailers; /* owned; NULL: none */
    uint64_t opened_ms;
    size_t unconsumed_bytes;
    int32_t id;
    uint8_t informational_count;
    bool final_block_received; /* the request or the final response */
    bool remote_ended;
    bool response_sent;
    bool has_body;    /* nghttp2 asks on_body_read */
    bool deferred;    /* ... and was told to wait */
    bool ended;       /* end, trailers or reset was called */
    bool reset_here;  /* by h2_stream_reset(), not as an answer to an offence */
    bool not_sent;    /* the request never left */
};

/* callbacks.c */

/* The callback table for nghttp2_session_*_new; the caller deletes it. NULL: no memory. */
nghttp2_session_callbacks *h2_callbacks_new(void);

/* Looks at each frame header before nghttp2 does. */
bool h2_on_frame_head(void *session, const struct h2_frame_head *head);

/* memory.c */

/* What the session's nghttp2 allocates with; the session outlives it. */
nghttp2_mem h2_memory(struct h2_session *session);
/* After nghttp2_session_del(). */
void h2_memory_release(struct h2_session *session);

/* session.c */

/* Tells the owner, once until the next pull, that there is something to send. */
void h2_request_output(struct h2_session *session);

/* Charges the budget; at its end the session is terminated with `reason`. Returns false then. */
bool h2_charge(struct h2_session *session, uint32_t milli, const char *reason);

/* stream.c */

/* Makes a stream and lists it; NULL when there is no memory. */
struct h2_stream *h2_stream_new(struct h2_session *session, int32_t id);
/* Delivers on_close, gives the connection's credit back, frees. */
void h2_stream_finish(struct h2_stream *stream, uint32_t error, bool unprocessed);
/* The source of all DATA frames. */
ssize_t h2_on_body_read(nghttp2_session *ng, int32_t id, uint8_t *out, size_t capacity,
                        uint32_t *flags, nghttp2_data_source *source, void *session);
int h2_on_body_send(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t len,
                    nghttp2_data_source *source, void *session);
/* Counts `len` body bytes that arrived. */
void h2_stream_received(struct h2_stream *stream, size_t len);

#endif
