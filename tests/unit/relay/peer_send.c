/* What a peer of a test sends. */
#include "peer_impl.h"

#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 256

void peer_set(struct peer *peer, int32_t setting, uint32_t value)
{
    const nghttp2_settings_entry entry = {setting, value};
    nghttp2_submit_settings(peer->session, NGHTTP2_FLAG_NONE, &entry, 1);
    peer_pump(peer);
}

void peer_goaway(struct peer *peer, int32_t last_id, uint32_t error, const char *debug)
{
    nghttp2_submit_goaway(peer->session, NGHTTP2_FLAG_NONE, last_id, error, (const uint8_t *)debug,
                          strlen(debug));
    peer_pump(peer);
}

void peer_grant(struct peer *peer, int32_t stream_id, int32_t bytes)
{
    nghttp2_submit_window_update(peer->session, NGHTTP2_FLAG_NONE, stream_id, bytes);
    peer_pump(peer);
}

/* ---- fields ---------------------------------------------------------------------------------- */

/* Points into `text`, which is cut up. */
static size_t parse_fields(char *text, nghttp2_nv out[static FIELDS_MAX])
{
    size_t count = 0;
    for (char *line = text; *line != '\0';) {
        char *end = strchr(line, '\n');
        bool secret = line[0] == '!';
        char *name = line + secret;
        char *colon = strstr(name + 1, ": ");
        assert(end != NULL && colon != NULL && colon < end && count < FIELDS_MAX);
        out[count++] = (nghttp2_nv){
            .name = (uint8_t *)name,
            .namelen = (size_t)(colon - name),
            .value = (uint8_t *)colon + 2,
            .valuelen = (size_t)(end - colon - 2),
            .flags = secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE,
        };
        line = end + 1;
    }
    return count;
}

/* ---- messages -------------------------------------------------------------------------------- */

static void submit_trailers(struct peer_stream *stream)
{
    nghttp2_nv nv[FIELDS_MAX];
    size_t count = parse_fields(stream->out_trailers, nv);
    nghttp2_submit_trailer(stream->peer->session, stream->id, nv, count);
    free(stream->out_trailers);
    stream->out_trailers = NULL;
    stream->out_ends = true;
}

static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *out, size_t capacity,
                       uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct peer_stream *stream = nghttp2_session_get_stream_user_data(session, id);
    (void)source;
    (void)user;
    size_t len = stream->out.len < capacity ? stream->out.len : capacity;
    if (len > 0) {
        memcpy(out, buf_data(&stream->out), len);
        buf_consume(&stream->out, len);
    }
    if (stream->out.len == 0 && stream->out_trailers != NULL) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        submit_trailers(stream);
    } else if (stream->out.len == 0 && stream->out_ends) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    } else if (len == 0) {
        return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)len;
}

static const nghttp2_data_provider provider = {.read_callback = on_read};

struct peer_stream *peer_ask(struct peer *peer, const char *fields, bool end)
{
    nghttp2_nv nv[FIELDS_MAX];
    char *text = mem_strdup(fields);
    size_t count = parse_fields(text, nv);
    struct peer_stream *stream = peer_stream_new(peer, 0);
    stream->id =
        nghttp2_submit_request(peer->session, NULL, nv, count, end ? NULL : &provider, stream);
    assert(stream->id > 0);
    peer_pump(peer);
    free(text);
    return stream;
}

void peer_respond(struct peer_stream *stream, const char *fields, bool end)
{
    nghttp2_nv nv[FIELDS_MAX];
    char *text = mem_strdup(fields);
    size_t count = parse_fields(text, nv);
    nghttp2_submit_response(stream->peer->session, stream->id, nv, count, end ? NULL : &provider);
    peer_pump(stream->peer);
    free(text);
}

void peer_inform(struct peer_stream *stream, const char *fields)
{
    nghttp2_nv nv[FIELDS_MAX];
    char *text = mem_strdup(fields);
    size_t count = parse_fields(text, nv);
    nghttp2_submit_headers(stream->peer->session, NGHTTP2_FLAG_NONE, stream->id, NULL, nv, count,
                           NULL);
    peer_pump(stream->peer);
    free(text);
}

void peer_begin(struct peer_stream *stream)
{
    peer_respond(stream, ":status: 200\ncontent-type: application/grpc\n", false);
}

void peer_status(struct peer_stream *stream, int code, const char *message)
{
    char fields[512];
    snprintf(fields, sizeof(fields),
             ":status: 200\ncontent-type: application/grpc\ngrpc-status: %d\ngrpc-message: %s\n",
             code, message);
    peer_respond(stream, fields, true);
}

void peer_send(struct peer_stream *stream, const void *bytes, size_t len)
{
    int rv = buf_append(&stream->out, bytes, len, PEER_BODY_MAX);
    assert(rv == 0);
    (void)rv;
    nghttp2_session_resume_data(stream->peer->session, stream->id);
    peer_pump(stream->peer);
}

void peer_send_zeros(struct peer_stream *stream, size_t len)
{
    uint8_t *zeros = mem_calloc(1, len);
    peer_send(stream, zeros, len);
    free(zeros);
}

void peer_end(struct peer_stream *stream)
{
    stream->out_ends = true;
    nghttp2_session_resume_data(stream->peer->session, stream->id);
    peer_pump(stream->peer);
}

void peer_trailers(struct peer_stream *stream, const char *fields)
{
    stream->out_trailers = mem_strdup(fields);
    nghttp2_session_resume_data(stream->peer->session, stream->id);
    peer_pump(stream->peer);
}

void peer_reset(struct peer_stream *stream, uint32_t error)
{
    nghttp2_submit_rst_stream(stream->peer->session, NGHTTP2_FLAG_NONE, stream->id, error);
    peer_pump(stream->peer);
}
