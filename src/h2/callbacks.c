/* What nghttp2 tells us, turned into events and charges. Callbacks record and submit; they never
 * pump. */
#include "h2/core.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOAWAY_DEBUG_BYTES 160

/* ---- header blocks --------------------------------------------------------------------------- */

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *ctx)
{
    (void)ng;
    return h2_block_begin(ctx, frame);
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *ctx)
{
    (void)ng;
    (void)frame;
    const struct h2_header field = {
        .name = (const char *)name,
        .name_len = name_len,
        .value = (const char *)value,
        .value_len = value_len,
        .never_indexed = (flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0,
    };
    return h2_block_add(ctx, &field);
}

/* nghttp2 would drop an invalid field and go on; for a router a dropped field is a bypass. */
static int on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
                             size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                             void *ctx)
{
    (void)ng;
    (void)frame;
    (void)name;
    (void)name_len;
    (void)value;
    (void)value_len;
    (void)flags;
    struct h2_session *session = ctx;
    return session->role == H2_CLIENT ||
                   h2_charge(session, H2_BUDGET_MILLI, "peer sent too many malformed header fields")
               ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
               : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_error(nghttp2_session *ng, int error, const char *message, size_t len, void *ctx)
{
    (void)ng;
    (void)len;
    if (error == NGHTTP2_ERR_HTTP_HEADER) {
        h2_block_note_field(ctx, message);
    }
    return 0;
}

/* ---- whole frames ---------------------------------------------------------------------------- */

/* DATA that data_in.c does not take. */
static int on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *bytes,
                         size_t len, void *ctx)
{
    (void)flags;
    struct h2_session *session = ctx;
    struct h2_stream *stream = h2_find_stream(session, id);
    if (stream == NULL) {
        nghttp2_session_consume_connection(ng, len);
        return 0;
    }
    h2_stream_received(stream, bytes, len, len);
    return 0;
}

static int receive_data(struct h2_session *session, struct h2_stream *stream,
                        const nghttp2_frame *frame)
{
    bool end_stream = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    bool padding_only = frame->data.padlen > 0 && frame->data.padlen == frame->hd.length;
    if (padding_only && !end_stream && !h2_charge_empty_data(session, frame->hd.stream_id)) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (end_stream && stream != NULL) {
        stream->remote_ended = true;
        if (stream->events->on_end != NULL) {
            stream->events->on_end(stream->user);
        }
    }
    return 0;
}

static void tell_room(struct h2_session *session)
{
    if (session->events->on_room != NULL) {
        session->events->on_room(session->user);
    }
}

static void receive_settings(struct h2_session *session, const nghttp2_frame *frame)
{
    if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) {
        session->settings_acked = true;
        return;
    }
    if (!session->ready) {
        session->ready = true;
        if (session->events->on_ready != NULL) {
            session->events->on_ready(session->user);
        }
    }
    h2_return_unsent(session);
    tell_room(session);
}

static int receive_ping_ack(struct h2_session *session)
{
    if (session->pings_unanswered == 0) {
        return h2_charge(session, H2_BUDGET_MILLI,
                         "peer answered too many PINGs that were never sent")
                   ? 0
                   : NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    session->pings_unanswered--;
    if (session->events->on_ping_ack != NULL) {
        session->events->on_ping_ack(session->user);
    }
    return 0;
}

static int receive_ping(struct h2_session *session, const nghttp2_frame *frame)
{
    if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) {
        return receive_ping_ack(session);
    }
    bool busy = session->sent_since_ping;
    session->sent_since_ping = false;
    if (!busy && !h2_charge(session, H2_BUDGET_MILLI, "too_many_pings")) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (session->events->on_ping != NULL) {
        session->events->on_ping(session->user, busy);
    }
    return 0;
}

static int receive_reset(struct h2_session *session, const struct h2_stream *stream)
{
    if (session->role == H2_CLIENT) { /* a request of ours may have provoked it */
        return 0;
    }
    bool young = stream == NULL || session->now_ms - stream->opened_ms < H2_YOUNG_STREAM_MS;
    return !young || h2_charge(session, H2_BUDGET_MILLI, "peer reset too many streams")
               ? 0
               : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* "GOAWAY NO_ERROR: server is shutting down"; the second GOAWAY of a graceful end, which says
 * nothing new, does not replace the first. */
static void keep_goaway_text(struct h2_session *session, const nghttp2_goaway *goaway)
{
    char debug[GOAWAY_DEBUG_BYTES];
    char text[GOAWAY_DEBUG_BYTES + 64];
    text_escape(debug, sizeof(debug), (const char *)goaway->opaque_data, goaway->opaque_data_len);
    if (session->goaway_text != NULL && goaway->error_code == H2_NO_ERROR && debug[0] == '\0') {
        return;
    }
    snprintf(text, sizeof(text), "GOAWAY %s%s%s", h2_error_name(goaway->error_code),
             debug[0] != '\0' ? ": " : "", debug);
    free(session->goaway_text);
    session->goaway_text = strdup(text);
}

static void receive_goaway(struct h2_session *session, const nghttp2_goaway *goaway)
{
    session->goaway_received = true;
    keep_goaway_text(session, goaway);
    if (session->events->on_goaway != NULL) {
        session->events->on_goaway(session->user, goaway->error_code, goaway->opaque_data,
                                   goaway->opaque_data_len);
    }
}

static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *ctx)
{
    (void)ng;
    struct h2_session *session = ctx;
    bool end_stream = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    struct h2_stream *stream = h2_find_stream(session, frame->hd.stream_id);
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        h2_block_end(session, stream, end_stream);
        return 0;
    case NGHTTP2_DATA:
        return receive_data(session, stream, frame);
    case NGHTTP2_SETTINGS:
        receive_settings(session, frame);
        return 0;
    case NGHTTP2_PING:
        return receive_ping(session, frame);
    case NGHTTP2_RST_STREAM:
        return receive_reset(session, stream);
    case NGHTTP2_GOAWAY:
        receive_goaway(session, &frame->goaway);
        return 0;
    default:
        return 0;
    }
}

static int on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *ctx)
{
    (void)ng;
    struct h2_session *session = ctx;
    struct h2_stream *stream = h2_find_stream(session, frame->hd.stream_id);
    if (session->role == H2_SERVER && frame->hd.type == NGHTTP2_GOAWAY) {
        /* A client names the last of the server's streams; grpc-go's goodbye names its own, which
         * ends the session here, too, but is no offence. */
        keep_goaway_text(session, &frame->goaway);
        session->goodbye = true;
        return 0;
    }
    if (stream != NULL &&
        (error == NGHTTP2_ERR_HTTP_HEADER || error == NGHTTP2_ERR_HTTP_MESSAGING)) {
        h2_block_broken(session, stream, frame);
    }
    bool provoked = session->role == H2_CLIENT && frame->hd.stream_id > 0;
    return provoked || h2_charge(session, H2_BUDGET_MILLI, "peer sent too many malformed frames")
               ? 0
               : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t error, void *ctx)
{
    (void)ng;
    struct h2_session *session = ctx;
    struct h2_stream *stream = h2_find_stream(session, id);
    if (stream == NULL) {
        return 0;
    }
    h2_forget_stream(stream);
    if (stream->remote_ended) {
        h2_remember_ended(session, id);
    }
    if (error == H2_NO_ERROR) {
        h2_budget_credit(&session->budget);
    }
    bool refused = error == H2_REFUSED_STREAM && !stream->reset_here;
    h2_stream_finish(stream, error, stream->not_sent || (session->role == H2_CLIENT && refused));
    if (session->role == H2_CLIENT) {
        tell_room(session);
    }
    return 0;
}

nghttp2_session_callbacks *h2_callbacks_new(void)
{
    nghttp2_session_callbacks *table;
    if (nghttp2_session_callbacks_new(&table) != 0) {
        return NULL;
    }
    nghttp2_session_callbacks_set_on_begin_headers_callback(table, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(table, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(table, on_invalid_header);
    nghttp2_session_callbacks_set_error_callback2(table, on_error);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(table, on_frame_recv);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(table, on_invalid_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(table, h2_on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(table, h2_on_frame_not_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(table, on_stream_close);
    nghttp2_session_callbacks_set_send_data_callback(table, h2_on_end_send);
    return table;
}
