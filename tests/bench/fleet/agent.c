/* Happy path: CONNECTING -> SHAKING_HANDS -> greeting, streams, pings -> OPEN -> pongs.
 * Failure modes: whatever ends it early is its cause; the fleet counts them. */
#include "agent.h"

#include "wire.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void agent_close(struct agent *agent, const char *cause, ...)
{
    va_list args;

    if (agent->state == AGENT_CLOSED) {
        return;
    }
    if (cause != NULL) {
        va_start(args, cause);
        vsnprintf(agent->cause, sizeof(agent->cause), cause, args);
        va_end(args);
    }
    SSL_free(agent->ssl);
    free(agent->unsent);
    close(agent->fd);
    agent->ssl = NULL;
    agent->unsent = NULL;
    agent->unsent_len = 0;
    agent->fd = -1;
    agent->state = AGENT_CLOSED;
}

bool agent_wants_to_write(const struct agent *agent)
{
    return agent->state == AGENT_CONNECTING || agent->unsent_len > 0;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* Both return bytes, 0: not now, or -1: it is closed. */
static ssize_t outcome_of(struct agent *agent, ssize_t result, const char *what)
{
    if (result > 0) {
        return result;
    }
    if (agent->ssl != NULL) {
        int error = SSL_get_error(agent->ssl, (int)result);
        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
            return 0;
        }
        const char *reason = ERR_reason_error_string(ERR_peek_error());
        agent_close(agent, "%s: %s", what,
                    error == SSL_ERROR_SSL && reason != NULL ? reason : "connection lost");
        return -1;
    }
    if (result < 0 && errno == EAGAIN) {
        return 0;
    }
    agent_close(agent, "%s: connection lost", what);
    return -1;
}

static ssize_t read_some(struct agent *agent, void *out, size_t cap)
{
    ERR_clear_error();
    ssize_t result =
        agent->ssl != NULL ? SSL_read(agent->ssl, out, (int)cap) : read(agent->fd, out, cap);
    return outcome_of(agent, result, "read");
}

static ssize_t write_some(struct agent *agent, const void *bytes, size_t len)
{
    ERR_clear_error();
    ssize_t result = agent->ssl != NULL ? SSL_write(agent->ssl, bytes, (int)len)
                                        : send(agent->fd, bytes, len, MSG_NOSIGNAL);
    return outcome_of(agent, result, "write");
}

static void keep_unsent(struct agent *agent, const unsigned char *bytes, size_t len)
{
    agent->unsent = realloc(agent->unsent, agent->unsent_len + len);
    if (agent->unsent == NULL) {
        abort();
    }
    memcpy(agent->unsent + agent->unsent_len, bytes, len);
    agent->unsent_len += len;
}

static void send_bytes(struct agent *agent, const unsigned char *bytes, size_t len)
{
    ssize_t sent = agent->unsent_len == 0 ? write_some(agent, bytes, len) : 0;
    if (sent >= 0 && (size_t)sent < len) {
        keep_unsent(agent, bytes + sent, len - (size_t)sent);
    }
}

static void send_unsent(struct agent *agent)
{
    ssize_t sent = write_some(agent, agent->unsent, agent->unsent_len);
    if (sent > 0) {
        agent->unsent_len -= (size_t)sent;
        memmove(agent->unsent, agent->unsent + sent, agent->unsent_len);
    }
}

/* ---- HTTP/2 ---------------------------------------------------------------------------------- */

static void send_ping(struct agent *agent, uint32_t stream)
{
    unsigned char bytes[WIRE_MOST_BYTES];
    send_bytes(agent, bytes, wire_ping(bytes, stream));
}

void agent_ping(struct agent *agent, unsigned count)
{
    if (agent->state == AGENT_OPEN && count > 0) {
        agent->pings_left = count - 1;
        send_ping(agent, 1);
    }
}

/* The greeting and all streams in one write each, as a client that has them ready does. */
static void open_streams(struct agent *agent, unsigned streams)
{
    unsigned char bytes[WIRE_MOST_BYTES];
    unsigned char all[16 * 1024];
    size_t len = wire_greeting(all);

    agent->state = AGENT_OPEN;
    for (unsigned i = 0; i < streams && agent->state == AGENT_OPEN; i++) {
        size_t more = wire_call(bytes, 2 * i + 1);
        more += wire_ping(bytes + more, 2 * i + 1);
        if (len + more > sizeof(all)) {
            send_bytes(agent, all, len);
            len = 0;
        }
        memcpy(all + len, bytes, more);
        len += more;
        agent->streams++;
    }
    if (agent->state == AGENT_OPEN) {
        send_bytes(agent, all, len);
    }
}

static uint32_t u32_at(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void answer(struct agent *agent, unsigned type, const void *payload, size_t len)
{
    unsigned char bytes[WIRE_MOST_BYTES];
    send_bytes(agent, bytes, wire_frame(bytes, type, WIRE_ACK, 0, payload, len));
}

size_t agent_answered(const struct agent *agent)
{
    return agent->pong_bytes > 0 ? agent->answer_bytes / agent->pong_bytes : 0;
}

/* A proxy may cut a message anywhere. On one stream its pieces make the prefix of the first; on
 * several they are mixed, so what is asked is a frame that holds a message as a whole. */
static void learn_pong(struct agent *agent, size_t len)
{
    if (agent->streams > 1) {
        size_t bytes = AGENT_PREFIX_BYTES + u32_at(agent->body + 1);
        agent->pong_bytes = len == bytes ? bytes : 0;
        return;
    }
    for (size_t i = 0; i < len && agent->prefix_len < AGENT_PREFIX_BYTES; i++) {
        agent->prefix[agent->prefix_len++] = agent->body[i];
    }
    if (agent->prefix_len == AGENT_PREFIX_BYTES) {
        agent->pong_bytes = AGENT_PREFIX_BYTES + u32_at(agent->prefix + 1);
    }
}

static void on_answer(struct agent *agent, size_t len)
{
    size_t before = agent_answered(agent);

    if (agent->pong_bytes == 0) {
        learn_pong(agent, len);
    }
    agent->answer_bytes += len;
    for (size_t more = agent_answered(agent) - before; more > 0 && agent->pings_left > 0; more--) {
        agent->pings_left--;
        send_ping(agent, 1);
    }
}

static void on_frame(struct agent *agent, size_t len)
{
    unsigned type = agent->head[3];
    bool flagged = (agent->head[4] & 1) != 0; /* ACK or END_STREAM */

    if ((type == WIRE_HEADERS || type == WIRE_DATA) && flagged) {
        agent_close(agent, "stream ended");
    } else if (type == WIRE_DATA && len > 0) {
        on_answer(agent, len);
    } else if (type == WIRE_SETTINGS && !flagged) {
        answer(agent, WIRE_SETTINGS, NULL, 0);
    } else if (type == WIRE_PING && !flagged) {
        answer(agent, WIRE_PING, agent->body, AGENT_BODY_BYTES);
    } else if (type == WIRE_GOAWAY) {
        agent_close(agent, "GOAWAY %u", u32_at(agent->body + 4));
    } else if (type == WIRE_RST_STREAM) {
        agent_close(agent, "stream reset %u", u32_at(agent->body));
    }
}

/* Takes bytes of the frame's payload, and keeps the first ones. Returns how many. */
static size_t take_payload(struct agent *agent, const unsigned char *bytes, size_t len,
                           size_t payload)
{
    size_t more = payload - agent->body_seen < len ? payload - agent->body_seen : len;

    for (size_t i = 0; i < more && agent->body_seen + i < AGENT_BODY_BYTES; i++) {
        agent->body[agent->body_seen + i] = bytes[i];
    }
    agent->body_seen += more;
    return more;
}

static void take(struct agent *agent, const unsigned char *bytes, size_t len)
{
    size_t at = 0;

    while (agent->state == AGENT_OPEN) {
        while (agent->head_len < AGENT_HEAD_BYTES && at < len) {
            agent->head[agent->head_len++] = bytes[at++];
        }
        size_t payload = u32_at(agent->head) >> 8;
        if (agent->head_len < AGENT_HEAD_BYTES) {
            return;
        }
        at += take_payload(agent, bytes + at, len - at, payload);
        if (agent->body_seen < payload) {
            return;
        }
        agent->head_len = 0;
        agent->body_seen = 0;
        on_frame(agent, payload);
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

int agent_dial(struct agent *agent, const struct sockaddr_in *target, SSL_CTX *ctx)
{
    int on = 1;
    *agent = (struct agent){.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (agent->fd < 0) {
        snprintf(agent->cause, sizeof(agent->cause), "socket: %s", strerror(errno));
        return -1;
    }
    agent->state = AGENT_CONNECTING;
    setsockopt(agent->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(agent->fd, (const struct sockaddr *)target, sizeof(*target)) != 0 &&
        errno != EINPROGRESS) {
        agent_close(agent, "connect: %s", strerror(errno));
        return -1;
    }
    if (ctx != NULL) {
        agent->ssl = SSL_new(ctx);
        if (agent->ssl == NULL || SSL_set_fd(agent->ssl, agent->fd) != 1) {
            abort();
        }
        SSL_set_connect_state(agent->ssl);
        SSL_set_tlsext_host_name(agent->ssl, "localhost");
        SSL_set1_host(agent->ssl, "localhost");
    }
    return 0;
}

static void do_connect(struct agent *agent)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    int code = 0;
    socklen_t code_len = sizeof(code);

    getsockopt(agent->fd, SOL_SOCKET, SO_ERROR, &code, &code_len);
    if (code != 0) {
        agent_close(agent, "connect: %s", strerror(code));
        return;
    }
    if (getsockopt(agent->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0) {
        if (info.tcpi_state == TCP_SYN_SENT) {
            return;
        }
        agent->syns_resent = info.tcpi_total_retrans;
    }
    agent->state = AGENT_SHAKING_HANDS;
}

static void do_handshake(struct agent *agent, unsigned streams)
{
    ERR_clear_error();
    int result = agent->ssl != NULL ? SSL_do_handshake(agent->ssl) : 1;
    if (outcome_of(agent, result, "handshake") > 0) {
        open_streams(agent, streams);
    }
}

void agent_advance(struct agent *agent, unsigned streams)
{
    static unsigned char bytes[16 * 1024];

    if (agent->state == AGENT_CONNECTING) {
        do_connect(agent);
    }
    if (agent->state == AGENT_SHAKING_HANDS) {
        do_handshake(agent, streams);
    }
    if (agent->state == AGENT_OPEN && agent->unsent_len > 0) {
        send_unsent(agent);
    }
    while (agent->state == AGENT_OPEN) {
        ssize_t len = read_some(agent, bytes, sizeof(bytes));
        if (len <= 0) {
            break;
        }
        take(agent, bytes, (size_t)len);
    }
}
