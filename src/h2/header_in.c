/* Header blocks that come in: collected, judged, delivered.
 *
 * begin -> fields, counted before they are kept -> the whole block -> on_request or on_block.
 * Failure modes: over a limit of limits.h: decoded to its end, then refused; a field or the block
 * breaks RFC 9113 section 8: nghttp2 resets the stream at once, and says so by
 * h2_block_broken(). */
#include "h2/core.h"

#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define FIELD_NAME_BYTES 80 /* of a broken field's name, escaped */

/* ---- collecting ------------------------------------------------------------------------------ */

int h2_block_begin(struct h2_session *session, const nghttp2_frame *frame)
{
    h2_block_reader_free(session->block);
    session->block = h2_block_reader_new(&session->limits);
    if (session->block == NULL) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        struct h2_stream *stream = h2_stream_new(session, frame->hd.stream_id);
        if (stream == NULL) {
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
        nghttp2_session_set_stream_user_data(h2_ng(session), frame->hd.stream_id, stream);
    }
    return 0;
}

int h2_block_add(struct h2_session *session, const struct h2_header *field)
{
    bool kept = session->block != NULL && h2_block_reader_add(session->block, field) == 0;
    return kept ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* ---- delivering ------------------------------------------------------------------------------ */

static bool is_informational(const struct h2_block *block)
{
    const struct h2_header *status = h2_block_find(block, ":status", NULL);
    return status != NULL && status->value_len == 3 && status->value[0] == '1';
}

static enum h2_block_kind classify(const struct h2_session *session, struct h2_stream *stream,
                                   const struct h2_block *block)
{
    if (stream->final_block_received) {
        return H2_BLOCK_TRAILERS;
    }
    if (session->role == H2_CLIENT && is_informational(block)) {
        return H2_BLOCK_INFORMATIONAL;
    }
    stream->final_block_received = true;
    return session->role == H2_SERVER ? H2_BLOCK_REQUEST : H2_BLOCK_RESPONSE;
}

/* What nghttp2 would check in a body: its length, and that there is one at all. */
static bool is_plain(const struct h2_session *session, const struct h2_stream *stream,
                     const struct h2_block *block)
{
    if (h2_block_find(block, "content-length", NULL) != NULL) {
        return false;
    }
    if (session->role == H2_SERVER) {
        return h2_block_is_post(block);
    }
    const struct h2_header *status = h2_block_find(block, ":status", NULL);
    return stream->is_post && status != NULL && status->value_len == 3 &&
           memcmp(status->value, "200", 3) == 0;
}

static void tell_block(struct h2_session *session, struct h2_stream *stream,
                       enum h2_block_kind kind, const struct h2_block *block, bool end_stream)
{
    if (kind != H2_BLOCK_REQUEST) {
        if (stream->events->on_block != NULL) {
            stream->events->on_block(stream->user, kind, block, end_stream);
        }
    } else if (session->events->on_request != NULL) {
        session->events->on_request(session->user, stream, block, end_stream);
    }
}

static void deliver(struct h2_session *session, struct h2_stream *stream,
                    const struct h2_block *block, bool end_stream)
{
    enum h2_block_kind kind = classify(session, stream, block);
    if (kind == H2_BLOCK_REQUEST || kind == H2_BLOCK_RESPONSE) {
        stream->plain_body = is_plain(session, stream, block);
    }
    if (kind == H2_BLOCK_REQUEST) { /* not before it was found well-formed */
        h2_budget_hold(&session->budget, session->stream_count);
    }
    if (kind == H2_BLOCK_INFORMATIONAL &&
        ++stream->informational_count > H2_INFORMATIONAL_RESPONSES) {
        h2_stream_set_fault(stream, "more than %d informational responses",
                            H2_INFORMATIONAL_RESPONSES);
        h2_stream_reset(stream, H2_ENHANCE_YOUR_CALM);
    } else {
        tell_block(session, stream, kind, block, end_stream);
    }
}

/* ---- refusing -------------------------------------------------------------------------------- */

/* Returns true when it was a request, which its owner may still answer. */
static bool tell_refused(struct h2_session *session, struct h2_stream *stream,
                         enum h2_refusal refusal, const struct h2_block *block)
{
    bool request = session->role == H2_SERVER && !stream->final_block_received;
    stream->final_block_received = true; /* what follows are trailers of nobody's */
    if (request && session->events->on_refused != NULL) {
        const char *why = stream->fault != NULL ? stream->fault : "no memory to say why";
        session->events->on_refused(session->user, stream, refusal, block, why);
    }
    return request;
}

static void refuse_oversized(struct h2_session *session, struct h2_stream *stream,
                             const struct h2_block_reader *reader, const struct h2_block *block)
{
    const char *what = stream->final_block_received ? "trailer block" : "header block";
    if (reader->counted_bytes > reader->limit_bytes) {
        h2_stream_set_fault(stream, "%s of %zu bytes is over the limit of %zu", what,
                            reader->counted_bytes, reader->limit_bytes);
    } else {
        h2_stream_set_fault(stream, "%s of %zu fields is over the limit of %zu", what,
                            reader->counted_fields, reader->limit_fields);
    }
    if (session->role == H2_SERVER &&
        !h2_charge(session, H2_BUDGET_HEADER_OFFENCE * H2_BUDGET_MILLI,
                   "peer sent too many oversized header blocks")) {
        return;
    }
    bool request = tell_refused(session, stream, H2_BLOCK_OVERSIZED, block);
    if (!request || !stream->response_sent) {
        h2_stream_reset(stream, H2_ENHANCE_YOUR_CALM);
    }
}

void h2_block_end(struct h2_session *session, struct h2_stream *stream, bool end_stream)
{
    struct h2_block_reader *reader = session->block;
    session->block = NULL;
    if (reader != NULL && stream != NULL) {
        struct h2_block block = h2_block_reader_finish(reader);
        stream->remote_ended = stream->remote_ended || end_stream;
        if (h2_block_reader_oversized(reader)) {
            refuse_oversized(session, stream, reader, &block);
        } else {
            deliver(session, stream, &block, end_stream);
        }
    }
    h2_block_reader_free(reader);
}

/* nghttp2 names the field only in its message for people: "... name: [NAME], value: [VALUE]". The
 * value may be a secret. */
void h2_block_note_field(struct h2_session *session, const char *message)
{
    static const char before[] = "name: [";
    const char *name = strstr(message, before);
    name = name != NULL ? name + strlen(before) : "";
    const char *end = strstr(name, "], value: [");
    char text[FIELD_NAME_BYTES];
    text_escape(text, sizeof(text), name, end != NULL ? (size_t)(end - name) : 0);
    free(session->broken_field);
    session->broken_field = strdup(text);
}

static const char *whats_wrong_with(const char *name)
{
    static const char *const of_a_connection[] = {"connection", "keep-alive", "proxy-connection",
                                                  "transfer-encoding", "upgrade"};
    for (size_t i = 0; i < sizeof(of_a_connection) / sizeof(of_a_connection[0]); i++) {
        if (strcmp(name, of_a_connection[i]) == 0) {
            return "not allowed in HTTP/2";
        }
    }
    if (name[0] == ':') {
        return "unknown, repeated, out of place or of a wrong value";
    }
    if (strcmp(name, "te") == 0) {
        return "must be \"trailers\"";
    }
    if (strcmp(name, "content-length") == 0) {
        return "not a number, or repeated";
    }
    for (const char *at = name; *at != '\0'; at++) {
        if (isupper((unsigned char)*at)) {
            return "its name is not in lower case";
        }
    }
    return "a character that is not allowed";
}

static void set_fault(struct h2_session *session, struct h2_stream *stream,
                      const nghttp2_frame *frame)
{
    const char *name = session->broken_field;
    bool headers = frame->hd.type == NGHTTP2_HEADERS;
    if (name != NULL && name[0] != '\0') {
        h2_stream_set_fault(stream, "malformed field %s: %s", name, whats_wrong_with(name));
    } else if (name != NULL) {
        h2_stream_set_fault(stream, "malformed field");
    } else if (headers && stream->final_block_received) {
        h2_stream_set_fault(stream, "malformed trailers: they do not end the stream, or the body "
                                    "is not what content-length says");
    } else if (headers) {
        h2_stream_set_fault(stream, "malformed header block: a pseudo-header field is missing, or "
                                    "the block may not end the stream");
    } else {
        h2_stream_set_fault(stream, "malformed body: not what its header block says");
    }
}

void h2_block_broken(struct h2_session *session, struct h2_stream *stream,
                     const nghttp2_frame *frame)
{
    struct h2_block_reader *reader = session->block;
    session->block = NULL;
    struct h2_block block = {0};
    if (reader != NULL) {
        block = h2_block_reader_finish(reader);
    }
    set_fault(session, stream, frame);
    stream->plain_body = false;
    tell_refused(session, stream, H2_BLOCK_MALFORMED, &block);
    h2_block_reader_free(reader);
    free(session->broken_field);
    session->broken_field = NULL;
}
