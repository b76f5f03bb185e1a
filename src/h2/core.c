/* What every file of h2/ needs: asking for output, charging the peer, ending the session. */
#include "h2/core.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAULT_BYTES 256

static const char *const error_names[] = {
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
};

const char *h2_error_name(uint32_t code)
{
    return code < sizeof(error_names) / sizeof(error_names[0]) ? error_names[code] : "unknown";
}

void h2_request_output(struct h2_session *session)
{
    if (!session->output_asked && session->on_output != NULL) {
        session->output_asked = true;
        session->on_output(session->output_ctx, false);
    }
}

void h2_note_output(struct h2_session *session)
{
    if (!session->output_asked && !session->output_noted && session->on_output != NULL) {
        session->output_noted = true;
        session->on_output(session->output_ctx, true);
    }
}

void h2_request_nghttp2(struct h2_session *session)
{
    session->nghttp2_sends = true;
    h2_request_output(session);
}

/* A callback of ours fails, without a reason, where it has no memory. */
static bool is_ours(int error)
{
    return error == NGHTTP2_ERR_NOMEM || error == NGHTTP2_ERR_CALLBACK_FAILURE;
}

static const char *reason_of(const struct h2_session *session, int error)
{
    if (is_ours(error)) {
        return "no memory for what the peer sent or is to be sent";
    }
    if (error != NGHTTP2_ERR_TOO_MANY_CONTINUATIONS) {
        return nghttp2_strerror(error);
    }
    return session->role == H2_SERVER
               ? "peer sent more than " H2_TEXT(H2_CONTINUATIONS) " CONTINUATION frames in a row"
               : "peer sent more than " H2_TEXT(
                     H2_CONTINUATIONS_CLIENT) " CONTINUATION frames in a row";
}

void h2_note_failure(struct h2_session *session, int error)
{
    if (session->reason == NULL) {
        session->reason = reason_of(session, error);
        session->blame = is_ours(error) ? H2_BLAME_OURSELVES : H2_BLAME_PEER;
    }
}

int h2_pass(void *ctx, const uint8_t *bytes, size_t len)
{
    struct h2_session *session = ctx;
    session->nghttp2_sends = true;
    ssize_t rv = nghttp2_session_mem_recv(h2_ng(session), bytes, len);
    if (rv >= 0) {
        return session->terminated ? NGHTTP2_ERR_SESSION_CLOSING : 0;
    }
    h2_note_failure(session, (int)rv);
    return (int)rv;
}

/* ---- what the peer costs and earns ----------------------------------------------------------- */

bool h2_charge(struct h2_session *session, uint32_t milli, const char *reason)
{
    if (h2_budget_spend(&session->budget, milli, session->now_ms)) {
        return true;
    }
    h2_session_terminate(session, H2_ENHANCE_YOUR_CALM, reason);
    return false;
}

/* What a server returns credit for is what clients sent, in steps as small as it likes: any number
 * that our bytes can explain is free, on the stream and on the connection. */
void h2_sent_message_frame(struct h2_session *session, size_t body_bytes)
{
    session->sent_since_ping = true;
    size_t earned = H2_WINDOW_UPDATES_PER_FRAME;
    uint32_t max = H2_WINDOW_UPDATES_MAX;
    if (session->role == H2_CLIENT) {
        earned += 2 * body_bytes;
        max = H2_WINDOW_UPDATES_MAX_CLIENT;
    }
    if (session->window_updates < max) {
        session->window_updates += (uint32_t)earned;
    }
}

void h2_stream_set_fault(struct h2_stream *stream, const char *format, ...)
{
    char text[FAULT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (stream->fault == NULL) {
        stream->fault = strdup(text); /* without memory the fault stays untold */
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

static void submit_goaway(struct h2_session *session, int32_t last_id, uint32_t error,
                          const char *debug)
{
    nghttp2_submit_goaway(h2_ng(session), NGHTTP2_FLAG_NONE, last_id, error, (const uint8_t *)debug,
                          debug != NULL ? strlen(debug) : 0);
    h2_request_nghttp2(session);
}

/* nghttp2 has a name for this GOAWAY, without a text: after any other it reads no more where no
 * stream is open, and requests that were on their way would be lost. */
void h2_session_drain_begin(struct h2_session *session, const char *debug)
{
    if (!session->terminated) {
        session->drain_debug = debug;
        nghttp2_submit_shutdown_notice(h2_ng(session));
        h2_request_nghttp2(session);
    }
}

void h2_session_drain_finish(struct h2_session *session, uint32_t error, const char *debug)
{
    if (!session->terminated) {
        submit_goaway(session, nghttp2_session_get_last_proc_stream_id(h2_ng(session)), error,
                      debug != NULL ? debug : session->drain_debug);
        session->drain_debug = NULL;
    }
}

void h2_session_terminate(struct h2_session *session, uint32_t error, const char *reason)
{
    if (session->terminated) {
        return;
    }
    session->terminated = true;
    if (reason != NULL) {
        session->reason = reason;
        session->blame = error != H2_NO_ERROR ? H2_BLAME_PEER : H2_BLAME_NOBODY;
    }
    submit_goaway(session, nghttp2_session_get_last_proc_stream_id(h2_ng(session)), error, reason);
}

/* ---- questions that lower files ask, too ----------------------------------------------------- */

uint32_t h2_session_peer_max_streams(const struct h2_session *session)
{
    return session->ready ? nghttp2_session_get_remote_settings(
                                h2_ng(session), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
                          : UINT32_MAX;
}

uint32_t h2_session_peer_header_bytes(const struct h2_session *session)
{
    return nghttp2_session_get_remote_settings(h2_ng(session),
                                               NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE);
}

size_t h2_session_room(const struct h2_session *session)
{
    if (!session->ready || session->terminated || session->goaway_received ||
        session->goaway_sent || !nghttp2_session_check_request_allowed(h2_ng(session))) {
        return 0;
    }
    uint32_t limit = h2_session_peer_max_streams(session);
    return limit > session->stream_count ? limit - session->stream_count : 0;
}
