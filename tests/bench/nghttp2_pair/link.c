/* One socket, with TLS or without, and the nghttp2 session on it: see link.h. */
#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define READ_SIZE  (64U * 1024U)
#define WRITE_SIZE (256U * 1024U)
#define WRITE_ROOM (64U * 1024U) /* more than nghttp2 gives at once */
#define BACKLOG    4096

enum { WOULD_BLOCK = 0, FAILED = -1 };

/* One thread, and no call that uses them calls another that does. */
static uint8_t read_buffer[READ_SIZE];
static uint8_t write_buffer[WRITE_SIZE];

/* ---- state ---------------------------------------------------------------------------------- */

void link_touch(struct link *link)
{
    if (!link->is_touched) {
        link->is_touched = true;
        link->next_touched = link->loop->touched;
        link->loop->touched = link;
    }
}

static void fail(struct link *link, const char *reason)
{
    if (link->failure == NULL) {
        link->failure = reason;
    }
    link_touch(link);
}

void link_close(struct link *link)
{
    link->closing = true;
    link_touch(link);
}

static void watch(struct link *link, int how, bool room)
{
    struct epoll_event event = {.events = EPOLLIN | (room ? EPOLLOUT : 0U), .data.ptr = link};

    link->waits_for_room = room;
    if (epoll_ctl(link->loop->epoll_fd, how, link->fd, &event) != 0) {
        fail(link, "epoll does not take the socket");
    }
}

static void wait_for_room(struct link *link, bool room)
{
    if (link->waits_for_room != room) {
        watch(link, EPOLL_CTL_MOD, room);
    }
}

static void end(struct link *link)
{
    const char *reason = link->closing ? NULL : link->failure;

    if (link->ssl != NULL && link->ready && link->failure == NULL) {
        SSL_shutdown(link->ssl); /* says so; nobody waits for the answer */
    }
    ERR_clear_error();
    nghttp2_session_del(link->session);
    SSL_free(link->ssl);
    close(link->fd);
    wire_bytes_deinit(&link->unsent);
    link->events->on_ended(link, reason);
}

/* ---- bytes in and out ----------------------------------------------------------------------- */

/* What SSL_read(), SSL_write() and SSL_do_handshake() mean by a result that is no success. */
static int tls_outcome(struct link *link, int result, const char *reason)
{
    switch (SSL_get_error(link->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return WOULD_BLOCK;
    case SSL_ERROR_WANT_WRITE:
        wait_for_room(link, true);
        return WOULD_BLOCK;
    case SSL_ERROR_ZERO_RETURN:
        fail(link, "the peer closed the connection");
        return FAILED;
    default:
        fail(link, reason);
        return FAILED;
    }
}

/* Return how many bytes, WOULD_BLOCK or FAILED. */
static ssize_t receive(struct link *link)
{
    if (link->ssl != NULL) {
        ERR_clear_error();
        int got = SSL_read(link->ssl, read_buffer, sizeof(read_buffer));
        return got > 0 ? got : tls_outcome(link, got, "reading failed");
    }
    ssize_t got = recv(link->fd, read_buffer, sizeof(read_buffer), 0);
    if (got > 0) {
        return got;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return WOULD_BLOCK;
    }
    fail(link, got == 0 ? "the peer closed the connection" : "reading failed");
    return FAILED;
}

static ssize_t transmit(struct link *link, const uint8_t *data, size_t length)
{
    if (link->ssl != NULL) {
        ERR_clear_error();
        int put = SSL_write(link->ssl, data, (int)length);
        return put > 0 ? put : tls_outcome(link, put, "writing failed");
    }
    ssize_t put = send(link->fd, data, length, MSG_NOSIGNAL);
    if (put > 0) {
        return put;
    }
    if (put < 0 && (errno == EAGAIN || errno == EINTR)) {
        return WOULD_BLOCK;
    }
    fail(link, "writing failed");
    return FAILED;
}

/* Returns how many went before the socket was full, or FAILED. */
static ssize_t transmit_all(struct link *link, const uint8_t *data, size_t length)
{
    size_t done = 0;

    while (done < length) {
        ssize_t put = transmit(link, data + done, length - done);
        if (put == FAILED) {
            return FAILED;
        }
        if (put == WOULD_BLOCK) {
            break;
        }
        done += (size_t)put;
    }
    return (ssize_t)done;
}

/* Returns how much of write_buffer the session filled; fail() was called where it cannot go on. */
static size_t gather(struct link *link)
{
    size_t length = 0;

    while (length + WRITE_ROOM <= sizeof(write_buffer)) {
        const uint8_t *data;
        ssize_t got = nghttp2_session_mem_send(link->session, &data);
        if (got < 0 || (size_t)got > WRITE_ROOM) {
            fail(link, "nghttp2 cannot send");
            return 0;
        }
        if (got == 0) {
            break;
        }
        memcpy(write_buffer + length, data, (size_t)got);
        length += (size_t)got;
    }
    return length;
}

static void flush(struct link *link)
{
    struct wire_bytes *unsent = &link->unsent;
    size_t length;

    if (wire_bytes_left(unsent) > 0) {
        ssize_t put = transmit_all(link, unsent->data + unsent->taken, wire_bytes_left(unsent));
        if (put == FAILED) {
            return;
        }
        unsent->taken += (size_t)put;
        if (wire_bytes_left(unsent) > 0) {
            wait_for_room(link, true);
            return;
        }
        unsent->taken = unsent->length = 0;
    }
    while ((length = gather(link)) > 0) {
        ssize_t put = transmit_all(link, write_buffer, length);
        if (put == FAILED) {
            return;
        }
        if ((size_t)put < length) {
            wire_bytes_add(unsent, write_buffer + put, length - (size_t)put);
            wait_for_room(link, true);
            return;
        }
    }
    wait_for_room(link, false);
    if (!nghttp2_session_want_read(link->session) && !nghttp2_session_want_write(link->session)) {
        fail(link, "the peer ended the session");
    }
}

/* Until the socket has no more: epoll does not see what OpenSSL has read ahead. */
static void feed(struct link *link)
{
    while (link->failure == NULL && !link->closing) {
        ssize_t got = receive(link);
        if (got <= 0) {
            return;
        }
        if (nghttp2_session_mem_recv(link->session, read_buffer, (size_t)got) != got) {
            fail(link, "nghttp2 refuses what came");
            return;
        }
        if (link->ssl == NULL && (size_t)got < sizeof(read_buffer)) {
            return; /* that was all */
        }
    }
}

/* ---- coming up ------------------------------------------------------------------------------ */

static bool has_connected(struct link *link)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        fail(link, "the connection was refused");
        return false;
    }
    link->connected = true;
    return true;
}

static bool has_shaken_hands(struct link *link)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(link->ssl);
    if (rc != 1) {
        tls_outcome(link, rc, "the TLS handshake failed");
        return false;
    }
    const unsigned char *protocol;
    unsigned length;
    SSL_get0_alpn_selected(link->ssl, &protocol, &length);
    if (length != 2 || memcmp(protocol, "h2", 2) != 0) {
        fail(link, "the peer speaks no h2");
        return false;
    }
    return true;
}

static void come_up(struct link *link)
{
    if (!link->connected && !has_connected(link)) {
        return;
    }
    wait_for_room(link, false);
    if (link->ssl == NULL || has_shaken_hands(link)) {
        link->ready = true;
        link->events->on_ready(link);
        link_touch(link);
    }
}

static int start(struct link *link, int fd, bool connected)
{
    int one = 1;

    link->fd = fd;
    link->connected = connected;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (link->ssl != NULL) {
        SSL_set_fd(link->ssl, fd);
    }
    watch(link, EPOLL_CTL_ADD, true); /* a new socket has room: the loop takes it from there */
    return 0;
}

int link_accept(struct link *link, struct link_loop *loop, int fd, SSL *ssl,
                nghttp2_session *session, const struct link_events *events)
{
    *link = (struct link){.loop = loop, .events = events, .ssl = ssl, .session = session};
    return start(link, fd, true);
}

int link_connect(struct link *link, struct link_loop *loop, unsigned port, SSL *ssl,
                 nghttp2_session *session, const struct link_events *events)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 ||
        (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 && errno != EINPROGRESS)) {
        int error = errno;
        if (fd >= 0) {
            close(fd);
        }
        SSL_free(ssl);
        nghttp2_session_del(session);
        errno = error;
        return -1;
    }
    *link = (struct link){.loop = loop, .events = events, .ssl = ssl, .session = session};
    return start(link, fd, false);
}

/* ---- for the loop --------------------------------------------------------------------------- */

void link_on_event(struct link *link)
{
    if (!link->ready) {
        come_up(link);
    }
    if (link->ready) {
        feed(link);
        link_touch(link);
    }
}

void link_end_turn(struct link *link)
{
    if (link->ready && link->failure == NULL) {
        flush(link);
    }
    link->is_touched = false;
    if (link->closing || link->failure != NULL) {
        end(link);
    }
}
