/* The insides of a session, and what all files of h2/ need of it. Seen by no one outside.
 *
 * Bottom up: budget, block, frame_split; memory; core; data_out; data_in; stream;
 * header_out; frames, header_in; frames_sent; callbacks; session. Calls go down this list only. */
#ifndef GRPCROUTE_H2_CORE_H
#define GRPCROUTE_H2_CORE_H

#include "base/buf.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/sparse.h"
#include "h2/block.h"
#include "h2/budget.h"
#include "h2/frame_split.h"
#include "h2/session.h"
#include "h2/varying.h"

#include <assert.h>
#include <nghttp2/nghttp2.h>

#define H2_INCREMENT_BYTES      4     /* the payload of WINDOW_UPDATE */
#define H2_INITIAL_WINDOW_BYTES 65535 /* RFC 9113 section 6.9.2 */

/* Streams the peer ended lately; a frame on one of them is its mistake, not a race with our
 * reset. */
#define H2_ENDED_STREAMS 8

/* A limit as a text, for reasons that are static. */
#define H2_TEXT(limit)     H2_TEXT_OF(limit)
#define H2_TEXT_OF(number) #number

/* An entry of SETTINGS (RFC 9113 section 6.5.1). */
#define H2_SETTING_BYTES 6

struct h2_session {
    nghttp2_session *ng; /* owned; h2_ng() wakes it */
    bool at_rest;        /* its pieces are away */
    bool memory_made;    /* it has all it is made with */
    struct sparse pieces;
    uint8_t *frame_buffer;  /* the thread's; NULL: it has none of it */
    uint64_t woken_ms;      /* the last time; 0: never */
    uint64_t rest_after_ms; /* without a byte of the peer */
    enum h2_role role;
    struct h2_limits limits;
    const struct h2_events *events; /* borrowed */
    void *user;
    void (*on_output)(void *ctx, bool may_wait);
    void *output_ctx;
    const char *drain_debug; /* static; for the last GOAWAY */
    char *goaway_text;       /* owned; what the GOAWAY of the peer said; NULL: none came */
    const char *reason;      /* static; why the session has to end */
    enum h2_blame blame;     /* of the reason */

    uint64_t now_ms; /* of the call we are in */
    uint64_t opened_ms;
    uint64_t last_read_ms;
    uint64_t block_started_ms; /* of the last header block; counts while h2_block_in_progress() */
    uint64_t slept_from_ms;    /* nobody called us from then on, ... */
    uint64_t slept_until_ms;   /* ... and until a while before that, see h2_set_clock() */

    /* What the peer may cost us. */
    struct h2_budget budget;
    struct h2_frame_split split;
    bool block_open;           /* HEADERS came without END_HEADERS: only CONTINUATION may follow */
    bool block_frame;          /* the frame that is being read is part of a block */
    uint32_t window_updates;   /* still free */
    uint32_t pings_unanswered; /* ours */
    int32_t newest_peer_id;    /* highest stream id the peer opened */
    int32_t newest_own_id;     /* highest stream id we opened */
    int32_t answered_id;       /* see h2_session_answered_id() */
    int32_t skipped_from;      /* ids in [from, to] were jumped over, so they can never be opened */
    int32_t skipped_to;
    int32_t ended_ids[H2_ENDED_STREAMS];
    unsigned ended_next;

    struct list streams;
    size_t stream_count;
    struct h2_stream *found_stream; /* h2_find_stream()'s last one; NULL: none */
    struct h2_block_reader *block;  /* owned; the header block being received */
    char *broken_field;             /* owned; of it, see h2_block_note_field() */
    struct h2_varying *varying;     /* owned; of the requests we send; NULL: of none yet */

    /* Receiving: credit to tell of, and what the peer may still send. */
    size_t credit;
    int32_t receive_window;
    struct list creditors; /* streams with credit to tell of */

    /* The frame that is being taken. */
    uint8_t taking;                /* DATA, or what is collected: WINDOW_UPDATE, SETTINGS */
    struct h2_stream *data_stream; /* NULL: nobody's any more */
    int32_t taken_id;
    size_t taken_len;
    uint8_t taken[H2_SETTING_BYTES]; /* of WINDOW_UPDATE all, of SETTINGS one entry */

    /* Sending: the peer's windows, streams that have something to send and may, and streams that
     * wait for the connection's window alone. */
    int32_t send_window;
    uint32_t unread_bytes;   /* sent, and the peer did not return the connection's credit */
    uint64_t credited_bytes; /* of the connection's credit, returned in all */
    uint32_t peer_stream_window;
    struct list sendable;
    struct list blocked;
    struct list small_shares;  /* h2_share.node: of those who hold little of the window */
    struct list large_shares;  /* ... and of the others; the last to have sent is last */
    size_t nobodys_bytes;      /* of unread_bytes, what ended streams held */
    uint64_t reserve_since_ms; /* since when streams wait for the reserve; 0: none does */
    bool reserve_open;         /* the peer let them wait too long */
    bool returns_early;        /* the peer was seen to return credit when half was used, or less */
    size_t queued_bytes;       /* of all streams, with their blocks; in limits.queued_total, too */

    /* The pull in progress. */
    uint8_t *out;
    size_t out_len;
    size_t out_capacity;
    const uint8_t *rest; /* of a frame that did not fit; after the pull in `rest_copy` */
    size_t rest_len;
    uint8_t *rest_copy; /* owned */

    bool output_asked;
    bool output_noted;  /* for what may wait */
    bool nghttp2_sends; /* it may have something */
    bool ready;
    bool settings_acked;
    bool goaway_received;
    bool goodbye; /* a GOAWAY whose last id nghttp2 does not take */
    bool goaway_sent;
    bool terminated; /* nothing more is read */
    bool sent_since_ping;
};

struct h2_trailers {
    size_t count;
    nghttp2_nv fields[]; /* and behind them the text that they point to */
};

/* What a stream that is alone, or a group, is taken to hold of the connection's window. */
struct h2_share {
    struct list node; /* session->small_shares or ->large_shares; in none: nothing */
    size_t held_bytes;
};

/* Streams that count together, see h2_stream_join(). */
struct h2_group {
    struct h2_share share;
    size_t stream_count;
    size_t unread_bytes; /* of all */
};

struct h2_stream {
    struct list node;
    struct h2_session *session;
    const struct h2_stream_events *events; /* borrowed; never NULL */
    void *user;                            /* of the events */
    char *fault;                           /* owned; what was wrong with it */
    struct buf out;                        /* body bytes that wait for a frame */
    struct h2_trailers *trailers;          /* owned; NULL: none */
    size_t block_bytes;                    /* of header blocks that wait, with these trailers */
    uint64_t opened_ms;
    struct list send_node;   /* session->sendable or session->blocked */
    struct list credit_node; /* session->creditors */
    size_t unconsumed_bytes;
    size_t unconsumed_by_nghttp2;
    uint32_t credit;         /* consumed, not told to the peer */
    uint32_t unread_bytes;   /* sent, and the peer did not return the credit */
    uint32_t answered_bytes; /* of them, those sent before the last DATA of the peer came */
    struct h2_group *group;  /* owned by its streams together; NULL: it is alone */
    struct h2_share share;   /* while it is alone */
    int32_t receive_window;
    int32_t send_window;
    int32_t id;
    uint8_t informational_count;
    uint8_t empty_frames;      /* DATA without a byte, in a row */
    bool final_block_received; /* the request or the final response */
    bool remote_ended;
    bool response_sent;
    bool is_post;    /* a client's request */
    bool plain_body; /* nothing for nghttp2 to check in what comes */
    bool mixed;      /* ... and yet some came through nghttp2, which returns its credit */
    bool refused;    /* it broke a rule of flow control: nothing more of it is delivered */
    bool has_body;   /* our block did not end the stream */
    bool headers_sent;
    bool blocked;    /* send_node is in session->blocked */
    bool end_sent;   /* its end is with nghttp2 */
    bool end_left;   /* ... and was given to the peer */
    bool ended;      /* end, trailers or reset was called */
    bool muted;      /* only a reset is sent of it */
    bool reset_here; /* by h2_stream_reset(), not as an answer to an offence */
    bool not_sent;   /* the request never left */
};

/* ---- core.c ---------------------------------------------------------------------------------- */

/* Tells the owner, once until the next pull, that there is something to send. */
void h2_request_output(struct h2_session *session);
/* ... that may wait for company. */
void h2_note_output(struct h2_session *session);
/* Asks for output, and that nghttp2 has to be asked for it. */
void h2_request_nghttp2(struct h2_session *session);

/* nghttp2 cannot go on, for its error is why, unless there is a reason already. */
void h2_note_failure(struct h2_session *session, int error);

/* Gives bytes to nghttp2. Returns 0 or a negative code. */
int h2_pass(void *session, const uint8_t *bytes, size_t len);

/* Every call of the owner begins with it. Who stood still (stopped, starved) reads frames that are
 * seconds old all at once, so streams that begin within a second after count from the last call
 * before: they are not young for that. */
static inline void h2_set_clock(struct h2_session *session, uint64_t now_ms)
{
    if (now_ms > session->now_ms + H2_STOOD_STILL_MS) {
        session->slept_from_ms = session->now_ms;
        session->slept_until_ms = now_ms + H2_STOOD_STILL_MS;
    }
    session->now_ms = now_ms;
}

/* When a stream that begins now began. */
static inline uint64_t h2_birth_ms(const struct h2_session *session)
{
    return session->now_ms < session->slept_until_ms ? session->slept_from_ms : session->now_ms;
}

/* Charges the budget; at its end the session is terminated with `reason`. Returns false then. */
bool h2_charge(struct h2_session *session, uint32_t milli, const char *reason);

/* A HEADERS frame, or DATA with that many bytes, was sent: that earns the peer WINDOW_UPDATEs and a
 * PING. */
void h2_sent_message_frame(struct h2_session *session, size_t body_bytes);

/* memory.c: its pieces come back; it rests less easily from now on. */
void h2_wake(struct h2_session *session);

/* nghttp2's session, awake. The one way to it: a question may be what wakes it, so `session` only
 * looks const. */
static inline nghttp2_session *h2_ng(const struct h2_session *session)
{
    if (session->at_rest) {
        h2_wake(mem_unconst(session));
    }
    return session->ng;
}

/* The stream that nghttp2 knows by that id; NULL: none, or it has closed. It is mostly the one that
 * was asked for last: a frame is looked at several times. */
static inline struct h2_stream *h2_find_stream(struct h2_session *session, int32_t id)
{
    if (session->found_stream == NULL || session->found_stream->id != id) {
        session->found_stream =
            id > 0 ? nghttp2_session_get_stream_user_data(h2_ng(session), id) : NULL;
    }
    return session->found_stream;
}

/* It has closed, or is to be closed: nobody finds it any more. */
static inline void h2_forget_stream(struct h2_stream *stream)
{
    struct h2_session *session = stream->session;
    if (session->found_stream == stream) {
        session->found_stream = NULL;
    }
    nghttp2_session_set_stream_user_data(h2_ng(session), stream->id, NULL);
}

/* Counts bytes that begin or cease to wait for a frame, or of a header block to be sent. */
static inline void h2_count_queued(struct h2_session *session, size_t more, size_t less)
{
    assert(session->queued_bytes + more >= less);
    session->queued_bytes += more - less;
    if (session->limits.queued_total != NULL) {
        assert(*session->limits.queued_total + more >= less);
        *session->limits.queued_total += more - less;
    }
}

/* What is wrong with the stream, as printf would write it; the first fault stays. Peer text must be
 * escaped. */
void h2_stream_set_fault(struct h2_stream *stream, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- memory.c -------------------------------------------------------------------------------- */

/* What the session's nghttp2 allocates with; the session outlives it. */
nghttp2_mem h2_memory(struct h2_session *session);
/* nghttp2's session is complete: what it asks for from now on is on the heap. */
void h2_memory_made(struct h2_session *session);
/* Puts away what nghttp2 does not need while the connection is quiet, if it is. */
void h2_rest_when_quiet(struct h2_session *session);
/* After nghttp2_session_del(). */
void h2_memory_release(struct h2_session *session);

/* ---- data_out.c ------------------------------------------------------------------------------ */

/* Where nghttp2 would write the empty DATA frame that we tell it an end with. */
int h2_on_end_send(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t len,
                   nghttp2_data_source *source, void *ctx);
/* Lists the stream for the next pull if it has bytes and window for them, or an end to send. */
void h2_stream_sendable(struct h2_stream *stream);
/* Takes it out of the lists, and looks again: something changed that may let it send, or not. */
void h2_stream_reconsider(struct h2_stream *stream);
/* The connection's window grew, or may be used up. */
void h2_unblock_streams(struct h2_session *session);
/* Lets streams use the reserve that waited too long for a WINDOW_UPDATE. */
void h2_tick_reserve(struct h2_session *session);
/* Whether there is enough of the connection's credit to tell of: a quarter of its window. */
bool h2_credit_is_due(const struct h2_session *session);
/* Writes WINDOW_UPDATE and DATA frames into the pull's buffer while there is room and window;
 * nghttp2 must have nothing to send. `ret_ended`: now it has, the end of a stream. Returns 0 or a
 * negative nghttp2 code. */
int h2_data_send(struct h2_session *session, bool *ret_ended);

/* ---- share.c --------------------------------------------------------------------------------- */

/* The window, as it would be if nothing was held. A peer cannot take it back, so it never shrinks.
 */
static inline size_t h2_whole_window(const struct h2_session *session)
{
    return (size_t)((int64_t)session->unread_bytes + session->send_window);
}

static inline bool h2_is_little(const struct h2_session *session, size_t held)
{
    return held <= h2_whole_window(session) / H2_RESERVE_LITTLE_SHARE;
}

/* Lists the share by what it holds, which is something; of the large ones it is the last. */
void h2_share_file(struct h2_session *session, struct h2_share *share);

/* Counts bytes that were sent, off the connection's window, too. */
static inline void h2_share_sent(struct h2_stream *stream, size_t len)
{
    struct h2_session *session = stream->session;
    struct h2_group *group = stream->group;
    session->unread_bytes += (uint32_t)len;
    session->send_window -= (int32_t)len;
    stream->unread_bytes += (uint32_t)len;
    if (group != NULL) {
        group->unread_bytes += len;
    }
    if (session->role == H2_CLIENT) {
        struct h2_share *share = group != NULL ? &group->share : &stream->share;
        bool listed = share->held_bytes > 0;
        share->held_bytes += len;
        if (!listed || !h2_is_little(session, share->held_bytes)) {
            h2_share_file(session, share);
        }
    }
}

/* Counts what the peer holds of the stream no longer: its credit came back. */
void h2_stream_give_back(struct h2_stream *stream, size_t len);
/* ... and the connection's. */
void h2_share_returned(struct h2_session *session, size_t len);
/* The stream ends, or is dropped: what it holds is nobody's. It is alone then. */
void h2_share_leave(struct h2_stream *stream);
/* Of a client's connection, where that may be less than there is. */
size_t h2_share_allowed_of_client(const struct h2_stream *stream);

/* What the stream may take of the connection's window now: a frame, if not said to be less. */
static inline size_t h2_share_allowed(const struct h2_stream *stream)
{
    const struct h2_session *session = stream->session;
    if (session->send_window <= 0) {
        return 0;
    }
    bool plenty = session->send_window >= (int64_t)session->unread_bytes + 2 * H2_FRAME_BYTES;
    return session->role == H2_SERVER || plenty ? (size_t)session->send_window
                                                : h2_share_allowed_of_client(stream);
}

/* ---- data_in.c ------------------------------------------------------------------------------- */

/* Delivers body bytes that arrived, of which nghttp2 counted `by_nghttp2` (all or none). */
void h2_stream_received(struct h2_stream *stream, const uint8_t *bytes, size_t len,
                        size_t by_nghttp2);
/* Whether a frame is taken here, and its payload. h2_take() returns 0 or a negative code. */
enum h2_frame_way h2_data_begin(struct h2_session *session, const struct h2_frame_head *head);
enum h2_frame_way h2_window_update_begin(struct h2_session *session,
                                         const struct h2_frame_head *head);
enum h2_frame_way h2_settings_begin(struct h2_session *session, const struct h2_frame_head *head);
int h2_take(void *session, const uint8_t *bytes, size_t len);

/* ---- stream.c -------------------------------------------------------------------------------- */

/* Makes a stream that is nobody's, and lists it; NULL when there is no memory. */
struct h2_stream *h2_stream_new(struct h2_session *session, int32_t id);
/* Takes it out of everything and frees it. */
void h2_stream_free(struct h2_stream *stream);
/* Delivers on_close and frees. */
void h2_stream_finish(struct h2_stream *stream, uint32_t error, bool unprocessed);
/* A request of which no byte was given to the owner. */
bool h2_never_left(const struct h2_stream *stream);
/* Ends requests that never left and, by SETTINGS that came meanwhile, may not: nghttp2 would hold
 * them. */
void h2_return_unsent(struct h2_session *session);

/* ---- header_out.c ---------------------------------------------------------------------------- */

/* A block of it was sent. */
void h2_stream_block_sent(struct h2_stream *stream, const nghttp2_headers *headers);

/* ---- frames.c -------------------------------------------------------------------------------- */

/* Judges each frame by its header, before anyone sees its payload. */
enum h2_frame_way h2_on_frame_head(void *session, const struct h2_frame_head *head);
/* The peer ended the stream: another frame on it is a mistake. */
void h2_remember_ended(struct h2_session *session, int32_t id);
/* An empty DATA frame costs a client, or the stream of a server. Returns false when the session is
 * to end. */
bool h2_charge_empty_data(struct h2_session *session, int32_t id);
/* A header block began, and has not come to its end. */
bool h2_block_in_progress(const struct h2_session *session);

/* ---- header_in.c ----------------------------------------------------------------------------- */

/* A block begins, a field of it came; return 0 or a negative code. */
int h2_block_begin(struct h2_session *session, const nghttp2_frame *frame);
int h2_block_add(struct h2_session *session, const struct h2_header *field);
/* It is complete and well-formed; `stream` NULL: nobody's any more. */
void h2_block_end(struct h2_session *session, struct h2_stream *stream, bool end_stream);
/* nghttp2 found a field malformed; h2_block_broken() follows. */
void h2_block_note_field(struct h2_session *session, const char *message);
/* The block or the body is malformed, and the stream is being reset. */
void h2_block_broken(struct h2_session *session, struct h2_stream *stream,
                     const nghttp2_frame *frame);

/* ---- frames_sent.c --------------------------------------------------------------------------- */

/* Callbacks of nghttp2: a frame was sent, a frame will not be. */
int h2_on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *ctx);
int h2_on_frame_not_send(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *ctx);

/* ---- callbacks.c ----------------------------------------------------------------------------- */

/* The callback table for nghttp2_session_*_new; the caller deletes it. NULL: no memory. */
nghttp2_session_callbacks *h2_callbacks_new(void);

#endif
