/* A peer of a test: its connection, its streams, its life. */
#include "peer_impl.h"

#include "../fake/fake.h"
#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void peer_pump(struct peer *peer)
{
    const uint8_t *bytes;
    if (peer->busy) { /* within one of nghttp2's callbacks; on_data() pumps behind it */
        return;
    }
    while (peer->transport != NULL && !net_stream_blocked(peer->transport)) {
        ssize_t len = nghttp2_session_mem_send(peer->session, &bytes);
        assert(len >= 0);
        if (len == 0) {
            break;
        }
        net_stream_write(peer->transport, bytes, (size_t)len);
    }
    bool done = nghttp2_session_want_read(peer->session) == 0 &&
                nghttp2_session_want_write(peer->session) == 0;
    if (peer->transport != NULL && done) {
        net_stream_close(peer->transport);
    }
}

/* ---- streams --------------------------------------------------------------------------------- */

struct peer_stream *peer_stream_new(struct peer *peer, int32_t id)
{
    struct peer_stream *stream = mem_new(struct peer_stream);
    stream->peer = peer;
    stream->id = id;
    stream->since_ms = fake_now_ms();
    stream->head = mem_strdup("");
    stream->trailers = mem_strdup("");
    stream->inform = mem_strdup("");
    list_append(&peer->streams, &stream->node);
    peer->stream_count++;
    peer->open_count++;
    peer->most_open = peer->open_count > peer->most_open ? peer->open_count : peer->most_open;
    return stream;
}

static void stream_free(struct peer_stream *stream)
{
    list_remove(&stream->node);
    free(stream->head);
    free(stream->trailers);
    free(stream->inform);
    buf_deinit(&stream->body);
    buf_deinit(&stream->out);
    free(stream->out_trailers);
    free(stream);
}

void peer_stream_close(struct peer_stream *stream, uint32_t error)
{
    if (!stream->closed) {
        stream->closed = true;
        stream->error = error;
        stream->peer->open_count--;
    }
}

struct peer_stream *peer_stream(const struct peer *peer, size_t n)
{
    struct list *node = peer->streams.next;
    while (n-- > 0) {
        node = node->next;
    }
    assert(node != &peer->streams);
    return container_of(node, struct peer_stream, node);
}

void peer_give_credit(struct peer_stream *stream, size_t len)
{
    nghttp2_session *session = stream->peer->session;
    nghttp2_session_consume_stream(session, stream->id, len);
    if (stream->peer->config.withholds) {
        nghttp2_session_consume_connection(session, len);
    }
}

void peer_read(struct peer_stream *stream)
{
    stream->unread = false;
    peer_give_credit(stream, stream->unread_bytes);
    stream->unread_bytes = 0;
    peer_pump(stream->peer);
}

bool peer_took(struct peer_stream *stream, const char *text)
{
    bool same =
        stream->body.len == strlen(text) &&
        (stream->body.len == 0 || memcmp(buf_data(&stream->body), text, stream->body.len) == 0);
    buf_consume(&stream->body, stream->body.len);
    return same;
}

/* ---- the transport --------------------------------------------------------------------------- */

static void on_data(void *user, const uint8_t *bytes, size_t len)
{
    struct peer *peer = user;
    peer->busy = true;
    ssize_t taken = nghttp2_session_mem_recv(peer->session, bytes, len);
    peer->busy = false;
    if (taken < 0) {
        net_stream_close(peer->transport);
        return;
    }
    peer_pump(peer);
}

static void on_writable(void *user)
{
    peer_pump(user);
}

static void on_closed(void *user, const struct net_error *why)
{
    struct peer *peer = user;
    struct list *node;
    struct list *next;
    (void)why;
    peer->transport = NULL;
    list_each(node, next, &peer->streams)
    {
        peer_stream_close(container_of(node, struct peer_stream, node), PEER_LOST);
    }
}

static const struct net_stream_events transport_events = {
    .on_data = on_data,
    .on_writable = on_writable,
    .on_closed = on_closed,
};

/* ---- life ------------------------------------------------------------------------------------ */

struct peer *peer_new(struct net_stream *transport, const struct peer_config *config)
{
    struct peer *peer = mem_new(struct peer);
    nghttp2_session_callbacks *callbacks = peer_callbacks();
    nghttp2_option *option;
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, 1);
    peer->config = *config;
    peer->transport = transport;
    list_init(&peer->streams);
    int rv = config->server ? nghttp2_session_server_new2(&peer->session, callbacks, peer, option)
                            : nghttp2_session_client_new2(&peer->session, callbacks, peer, option);
    assert(rv == 0);
    (void)rv;
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    net_stream_start(transport, &transport_events, peer);
    if (config->silent) {
        peer_stop(peer); /* else it would acknowledge the other side's */
    } else {
        peer_open(peer);
    }
    return peer;
}

void peer_free(struct peer *peer)
{
    if (peer == NULL) {
        return;
    }
    assert(peer->transport == NULL);
    nghttp2_session_del(peer->session);
    while (!list_empty(&peer->streams)) {
        stream_free(peer_stream(peer, 0));
    }
    free(peer->block);
    free(peer);
}

void peer_open(struct peer *peer)
{
    const struct peer_config *config = &peer->config;
    nghttp2_settings_entry settings[3];
    size_t count = 0;
    if (config->max_streams > 0 || config->paused) {
        settings[count++] =
            (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, config->max_streams};
    }
    if (config->window > 0 || config->shut) {
        settings[count++] =
            (nghttp2_settings_entry){NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, config->window};
    }
    if (config->header_list > 0) {
        settings[count++] =
            (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, config->header_list};
    }
    nghttp2_submit_settings(peer->session, NGHTTP2_FLAG_NONE, settings, count);
    peer_go_on(peer);
    peer_pump(peer);
}

void peer_abort(struct peer *peer)
{
    net_stream_abort(peer->transport);
}

void peer_close(struct peer *peer)
{
    if (peer->transport != NULL) {
        net_stream_close(peer->transport);
    }
}

void peer_stop(struct peer *peer)
{
    net_stream_pause(peer->transport);
}

void peer_go_on(struct peer *peer)
{
    net_stream_resume(peer->transport);
}
