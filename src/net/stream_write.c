/* Writing to a stream: one system call from the caller's bytes; only what the socket does not take
 * is copied, and libuv sends it when it can. */
#include "base/counter.h"
#include "base/mem.h"
#include "net/stream_impl.h"
#include "net/tls_io.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* More than an alert is not looked for. */
#define LAST_WORDS_BYTES  4096
#define LAST_WORDS_ROUNDS 16

/* What a full socket did not take. */
struct kept {
    uv_write_t req;
    size_t len;
    uint8_t bytes[];
};

static void on_kept_sent(uv_write_t *req, int status)
{
    struct kept *kept = container_of(req, struct kept, req);
    struct net_stream *stream = req->data;

    stream->kept_bytes -= kept->len;
    counter_add(&stream->traffic->sent, status == 0 ? kept->len : 0);
    free(kept);
    if (stream->state != NET_STREAM_OPEN && stream->state != NET_STREAM_LINGERING) {
        return; /* before the start, reading will meet the same failure */
    }
    if (status < 0) {
        net_stream_fail_uv(stream, status);
    } else if (stream->kept_bytes == 0 && stream->state == NET_STREAM_LINGERING) {
        net_stream_linger(stream);
    } else if (stream->kept_bytes == 0) {
        stream->events->on_writable(stream->user);
    }
}

static int keep(struct net_stream *stream, const uint8_t *bytes, size_t len)
{
    struct kept *kept;
    uv_buf_t buf;

    /* Only a peer that makes TLS answer (KeyUpdate) while it does not read can get here. */
    if (stream->kept_bytes + len > NET_KEPT_MAX_BYTES) {
        return UV_ENOBUFS;
    }
    kept = malloc(sizeof(*kept) + len);
    if (kept == NULL) {
        return UV_ENOMEM;
    }
    memcpy(kept->bytes, bytes, len);
    kept->len = len;
    kept->req.data = stream;
    buf = uv_buf_init((char *)kept->bytes, (unsigned int)len);

    int status = uv_write(&kept->req, (uv_stream_t *)&stream->tcp, &buf, 1, on_kept_sent);

    if (status < 0) {
        free(kept);
        return status;
    }
    stream->kept_bytes += len;
    return NET_STREAM_E_BLOCKED;
}

static int send_bytes(struct net_stream *stream, const uint8_t *bytes, size_t len)
{
    size_t sent = 0;

    if (stream->kept_bytes == 0) {
        uv_buf_t buf = uv_buf_init(mem_unconst(bytes), (unsigned int)len);
        int status = uv_try_write((uv_stream_t *)&stream->tcp, &buf, 1);

        if (status < 0 && status != UV_EAGAIN) {
            return status;
        }
        sent = status > 0 ? (size_t)status : 0;
        counter_add(&stream->traffic->sent, sent);
    }
    return sent == len ? 0 : keep(stream, bytes + sent, len - sent);
}

int net_stream_send_cipher(struct net_stream *stream)
{
    size_t len = net_tls_io_take_output(stream->tls);

    return len > 0 ? send_bytes(stream, stream->loop->cipher_bytes, len) : 0;
}

/* A peer that refuses us says why, closes, and resets what we go on to write. Its alert is still in
 * the socket. Returns whether there is one, in `ret_error`. */
static bool hear_last_words(struct net_stream *stream, struct net_error *ret_error)
{
    uint8_t cipher[LAST_WORDS_BYTES];
    uint8_t plain[LAST_WORDS_BYTES];
    uv_os_fd_t fd;
    size_t unread;

    net_tls_io_unread(stream->tls, &unread);
    if (unread > 0 || uv_fileno((uv_handle_t *)&stream->tcp, &fd) != 0) {
        return false; /* in the middle of reading, which will meet it */
    }
    for (int rounds = 0; rounds < LAST_WORDS_ROUNDS; rounds++) {
        ssize_t count = recv(fd, cipher, sizeof(cipher), MSG_DONTWAIT);
        int outcome = 0;

        if (count <= 0) {
            return false;
        }
        counter_add(&stream->traffic->received, (uint64_t)count);
        net_tls_io_feed(stream->tls, cipher, (size_t)count);
        do {
            outcome = net_tls_io_read(stream->tls, plain, sizeof(plain));
        } while (outcome > 0);
        net_tls_io_feed(stream->tls, NULL, 0);
        if (outcome == NET_TLS_IO_E_FAILED) {
            net_tls_io_explain(stream->tls, stream->peer, ret_error);
            return true;
        }
    }
    return false;
}

int net_stream_write(struct net_stream *stream, const uint8_t *bytes, size_t len)
{
    struct net_error error;
    int status;

    assert(len <= NET_WRITE_BYTES && stream->events != NULL);
    if (stream->state != NET_STREAM_OPEN) {
        return UV_EPIPE; /* closing: on_closed is on its way */
    }
    if (len == 0) {
        return net_stream_blocked(stream) ? NET_STREAM_E_BLOCKED : 0;
    }
    if (stream->tls != NULL) {
        status = net_tls_io_write(stream->tls, bytes, len);
        status = status < 0 ? status : net_stream_send_cipher(stream);
    } else {
        status = send_bytes(stream, bytes, len);
    }
    if (status < 0 && stream->tls != NULL && hear_last_words(stream, &error)) {
        net_stream_fail(stream, &error);
    } else if (status < 0) {
        net_stream_fail_uv(stream, status);
    }
    return status;
}

bool net_stream_blocked(const struct net_stream *stream)
{
    return stream->kept_bytes > 0;
}

void net_stream_say_goodbye(struct net_stream *stream)
{
    bool connected = stream->state == NET_STREAM_READY || stream->state == NET_STREAM_OPEN;

    if (stream->state >= NET_STREAM_LINGERING) {
        return;
    }
    if (!connected) {
        net_stream_close_handle(stream, false);
        return;
    }
    stream->state = NET_STREAM_LINGERING;
    net_loop_flush_cancel(&stream->early_flush);
    stream->closes_at_ms = uv_now(&stream->loop->uv) + NET_LINGER_MS;
    net_loop_tick_start(stream->loop, &stream->linger_tick);
    if (stream->tls != NULL) {
        net_tls_io_end(stream->tls); /* close_notify; not sent after a TLS failure */
        if (net_stream_send_cipher(stream) < 0) {
            net_stream_close_handle(stream, false);
            return;
        }
    }
    net_stream_linger(stream);
}
