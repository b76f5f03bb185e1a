/* How a stream ends: what all its files need, and what needs none of them. */
#include "base/mem.h"
#include "net/stream_impl.h"
#include "net/tls_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static void on_handle_closed(uv_handle_t *handle)
{
    struct net_stream *stream = handle->data;
    struct net_error closed;

    if (stream->why == NULL) {
        net_error_set(&closed, NET_CLOSED, "%s", net_error_text(NET_CLOSED));
    }
    if (stream->events != NULL) {
        stream->events->on_closed(stream->user, stream->why != NULL ? stream->why : &closed);
    }
    net_loop_churned(stream->loop);
    net_tls_io_free(stream->tls);
    free(stream->early_bytes);
    free(stream->why);
    free(stream);
}

void net_stream_close_handle(struct net_stream *stream, bool reset)
{
    if (stream->state == NET_STREAM_CLOSING) {
        return;
    }
    stream->state = NET_STREAM_CLOSING;
    net_loop_flush_cancel(&stream->early_flush);
    net_loop_tick_stop(&stream->linger_tick);
    if (!reset || uv_tcp_close_reset(&stream->tcp, on_handle_closed) != 0) {
        uv_close((uv_handle_t *)&stream->tcp, on_handle_closed);
    }
}

static void remember_why(struct net_stream *stream, const struct net_error *why)
{
    if (stream->why == NULL) {
        stream->why = mem_new(struct net_error);
        *stream->why = *why;
    }
}

void net_stream_fail(struct net_stream *stream, const struct net_error *why)
{
    remember_why(stream, why);
    net_stream_close_handle(stream, false);
}

void net_stream_fail_uv(struct net_stream *stream, int status)
{
    struct net_error error;
    char what[96];

    snprintf(what, sizeof(what), "connection to %s", stream->peer);
    net_error_from_uv(&error, status, what);
    net_stream_fail(stream, &error);
}

void net_stream_linger(struct net_stream *stream)
{
    uv_os_fd_t fd;

    if (stream->kept_bytes > 0) {
        return;
    }
    if (stream->peer_ended) {
        net_stream_close_handle(stream, false);
    } else if (uv_fileno((uv_handle_t *)&stream->tcp, &fd) != 0 || shutdown(fd, SHUT_WR) != 0) {
        net_stream_close_handle(stream, false);
    }
}
