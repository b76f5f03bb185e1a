/* Reading from a stream: into the loop's buffer, from there to the handshake, or to the owner as it
 * is or record by record. */
#include "base/counter.h"
#include "base/mem.h"
#include "net/stream_impl.h"
#include "net/tls_io.h"

#include <stdlib.h>
#include <string.h>

/* Hands plaintext records of one slice of ciphertext over, one by one. */
static void decode(struct net_stream *stream, const uint8_t *bytes, size_t len)
{
    struct net_loop *loop = stream->loop;
    struct net_error error;

    net_tls_io_feed(stream->tls, bytes, len);
    while (stream->state == NET_STREAM_OPEN && !net_tls_io_is_drained(stream->tls)) {
        int count = net_tls_io_read(stream->tls, loop->record_bytes, NET_RECORD_BYTES);
        int status = net_stream_send_cipher(stream); /* alerts and answers to KeyUpdate */

        if (status < 0 && count >= 0) {
            net_stream_fail_uv(stream, status);
        } else if (count > 0) {
            stream->events->on_data(stream->user, loop->record_bytes, (size_t)count);
        } else if (count == 0) {
            break;
        } else if (count == NET_TLS_IO_E_ENDED) {
            stream->peer_ended = true;
            net_stream_say_goodbye(stream);
        } else {
            net_tls_io_explain(stream->tls, stream->peer, &error);
            net_stream_fail(stream, &error);
        }
    }
    net_tls_io_feed(stream->tls, NULL, 0);
}

static void deliver(struct net_stream *stream, const uint8_t *bytes, size_t len)
{
    if (stream->tls != NULL) {
        decode(stream, bytes, len);
    } else {
        stream->events->on_data(stream->user, bytes, len);
    }
}

static void finish_handshake(struct net_stream *stream, const struct net_error *error)
{
    net_stream_ready_fn on_ready = stream->on_ready;

    net_loop_churned(stream->loop);
    stream->on_ready = NULL;
    stream->state = NET_STREAM_READY;
    if (error != NULL) {
        uv_read_stop((uv_stream_t *)&stream->tcp);
    }
    on_ready(stream->user, error);
}

/* Bytes behind the handshake wait for net_stream_start(), or for who paused it. */
static void keep_early(struct net_stream *stream)
{
    size_t len;
    const uint8_t *rest = net_tls_io_unread(stream->tls, &len);

    uv_read_stop((uv_stream_t *)&stream->tcp);
    stream->early = len > 0 || net_tls_io_has_pending(stream->tls);
    if (len > 0) {
        stream->early_bytes = mem_calloc(1, len); /* at most NET_READ_BYTES */
        stream->early_len = len;
        memcpy(stream->early_bytes, rest, len);
    }
    net_tls_io_feed(stream->tls, NULL, 0);
}

/* TLS is up. Whose owner starts it at once reads on: to stop and to start again costs three system
 * calls, and the client's first request is often here already. */
static void hand_over(struct net_stream *stream)
{
    size_t len;
    const uint8_t *rest;

    finish_handshake(stream, NULL);
    if (stream->state == NET_STREAM_OPEN && !stream->paused) {
        rest = net_tls_io_unread(stream->tls, &len);
        decode(stream, rest, len);
    } else if (stream->state == NET_STREAM_READY || stream->state == NET_STREAM_OPEN) {
        keep_early(stream);
    } else {
        net_tls_io_feed(stream->tls, NULL, 0); /* closed, and maybe still lingering */
    }
}

static void shake_hands(struct net_stream *stream, const uint8_t *bytes, size_t len)
{
    struct net_error error;
    int outcome;
    int status;

    net_tls_io_feed(stream->tls, bytes, len);
    do {
        outcome = net_tls_io_handshake(stream->tls);
        status = net_stream_send_cipher(stream); /* our flight, or the alert that says why not */
    } while (outcome == NET_TLS_IO_FULL && status >= 0);
    if (outcome == NET_TLS_IO_DONE && status >= 0) {
        hand_over(stream);
        return;
    }
    net_tls_io_feed(stream->tls, NULL, 0);
    if (outcome == NET_TLS_IO_E_FAILED) {
        net_tls_io_explain(stream->tls, NULL, &error);
        finish_handshake(stream, &error);
    } else if (status < 0) {
        net_error_from_uv(&error, status, "TLS handshake");
        finish_handshake(stream, &error);
    }
}

static void on_read_ended(struct net_stream *stream, int status)
{
    struct net_error error;

    stream->peer_ended = true;
    switch (stream->state) {
    case NET_STREAM_SETUP:
        net_tls_io_explain_end(stream->tls, status, &error);
        finish_handshake(stream, &error);
        break;
    case NET_STREAM_LINGERING:
        net_stream_linger(stream);
        break;
    default:
        /* Without close_notify, too: HTTP/2 frames carry their length, a cut shows. */
        if (status == UV_EOF) {
            net_stream_say_goodbye(stream);
        } else {
            net_stream_fail_uv(stream, status);
        }
        break;
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct net_stream *stream = handle->data;
    bool waits = stream->state == NET_STREAM_SETUP && stream->may_shake != NULL &&
                 !stream->may_shake(stream->user);

    (void)suggested;
    *buf = uv_buf_init((char *)stream->loop->read_bytes, waits ? 0 : NET_READ_BYTES);
}

static void on_read(uv_stream_t *handle, ssize_t count, const uv_buf_t *buf)
{
    struct net_stream *stream = handle->data;
    const uint8_t *bytes = (const uint8_t *)buf->base;

    if (count > 0) {
        counter_add(&stream->traffic->received, (uint64_t)count);
    }
    if (count == UV_ENOBUFS && stream->state == NET_STREAM_SETUP) { /* on_alloc gave none */
        uv_read_stop(handle);
    } else if (count < 0) {
        on_read_ended(stream, (int)count);
    } else if (count > 0 && stream->state == NET_STREAM_OPEN) {
        deliver(stream, bytes, (size_t)count);
    } else if (count > 0 && stream->state == NET_STREAM_SETUP) {
        shake_hands(stream, bytes, (size_t)count);
    }
}

void net_stream_start_reading(struct net_stream *stream)
{
    int status = uv_read_start((uv_stream_t *)&stream->tcp, on_alloc, on_read);

    if (status < 0 && status != UV_EALREADY) {
        net_stream_fail_uv(stream, status);
    }
}

void net_stream_on_early_flush(struct net_flush *flush)
{
    struct net_stream *stream = container_of(flush, struct net_stream, early_flush);
    uint8_t *bytes = stream->early_bytes;
    size_t len = stream->early_len;

    if (stream->paused) {
        return; /* net_stream_resume() asks again */
    }
    stream->early = false;
    stream->early_bytes = NULL;
    deliver(stream, bytes, len);
    free(bytes);
    if (stream->state == NET_STREAM_OPEN && !stream->paused) {
        net_stream_start_reading(stream);
    }
}

bool net_stream_shake_on(struct net_stream *stream)
{
    int status = uv_read_start((uv_stream_t *)&stream->tcp, on_alloc, on_read);

    if (status < 0) {
        struct net_error error;

        net_error_from_uv(&error, status, "TLS handshake");
        finish_handshake(stream, &error);
    }
    return status >= 0;
}

void net_stream_handshake(struct net_stream *stream, struct net_tls *tls, const char *peer_label,
                          const char *server_name, net_stream_ready_fn on_ready, void *owner)
{
    stream->on_ready = on_ready;
    stream->user = owner;
    if (tls == NULL) {
        finish_handshake(stream, NULL);
        return;
    }
    stream->tls = net_tls_io_new(tls, stream->loop, peer_label, server_name);
    /* The client begins. What a server begins with, 22 kB of buffers, waits for the hello. */
    if (net_stream_shake_on(stream) && server_name != NULL) {
        shake_hands(stream, NULL, 0);
    }
}
