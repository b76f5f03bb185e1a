#include "harness.h"

#include "net/resolve.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- certificates --- */

static char certificate_dir[] = "/tmp/grpcroute-net-XXXXXX";

__attribute__((format(printf, 1, 2))) static void shell(const char *format, ...)
{
    char command[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    assert_int_equal(system(command), 0);
}

int certificates_make(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(certificate_dir));
    shell("'%s' --out '%s' >/dev/null", GENERATE_CERTS, certificate_dir);
    shell("'%s' --out '%s/other' >/dev/null", GENERATE_CERTS, certificate_dir);
    return 0;
}

int certificates_remove(void **state)
{
    (void)state;
    shell("rm -r '%s'", certificate_dir);
    return 0;
}

const char *certificate(const char *name)
{
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s", certificate_dir, name);
    return path;
}

static EVP_PKEY *read_key(const char *name)
{
    FILE *file = fopen(certificate(name), "r");
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);

    assert_non_null(key);
    fclose(file);
    return key;
}

static X509 *read_certificate(const char *name)
{
    FILE *file = fopen(certificate(name), "r");
    X509 *cert = PEM_read_X509(file, NULL, NULL, NULL);

    assert_non_null(cert);
    fclose(file);
    return cert;
}

void certificate_sign(const char *name, long from_s, long until_s)
{
    X509 *cert = read_certificate("cert.pem");
    EVP_PKEY *ca_key = read_key("ca-key.pem");
    char file_name[64];
    FILE *file;

    X509_gmtime_adj(X509_getm_notBefore(cert), from_s);
    X509_gmtime_adj(X509_getm_notAfter(cert), until_s);
    assert_true(X509_sign(cert, ca_key, EVP_sha256()) > 0);
    snprintf(file_name, sizeof(file_name), "%s.pem", name);
    file = fopen(certificate(file_name), "w");
    assert_int_equal(PEM_write_X509(file, cert), 1);
    fclose(file);
    X509_free(cert);
    EVP_PKEY_free(ca_key);
}

/* --- one end --- */

static void on_data(void *user, const uint8_t *bytes, size_t len)
{
    struct end *end = user;

    assert_false(end->starting);
    assert_false(end->closed);
    end->data_calls++;
    assert_int_equal(buf_append(&end->received, bytes, len, 64 << 20), 0);
    if (end->close_on_data) {
        net_stream_close(end->stream);
    } else if (end->echo) {
        /* As a session would: every frame is answered, bounded by one write. */
        assert_false(net_stream_write(end->stream, bytes, len) < 0);
    }
}

static uint8_t pattern(size_t position)
{
    return (uint8_t)(position * 31 + (position >> 8));
}

static void pump(struct end *end)
{
    uint8_t *bytes = end->loop->write_bytes;

    while (end->to_send > 0 && !net_stream_blocked(end->stream)) {
        size_t len = end->to_send < NET_WRITE_BYTES ? end->to_send : NET_WRITE_BYTES;

        for (size_t i = 0; i < len; i++) {
            bytes[i] = pattern(end->sent + i);
        }
        int status = net_stream_write(end->stream, bytes, len);

        assert_true(status >= 0);
        assert_int_equal(status == NET_STREAM_E_BLOCKED, net_stream_blocked(end->stream));
        end->sent += len;
        end->to_send -= len;
    }
}

static void on_writable(void *user)
{
    struct end *end = user;

    assert_false(net_stream_blocked(end->stream));
    assert_int_equal(net_stream_kept_bytes(end->stream), 0);
    end->writable_calls++;
    pump(end);
}

static void on_closed(void *user, const struct net_error *why)
{
    struct end *end = user;

    assert_false(end->closed);
    end->closed = true;
    end->closed_calls++;
    end->error = *why;
    end->stream = NULL;
}

const struct net_stream_events end_events = {
    .on_data = on_data, .on_writable = on_writable, .on_closed = on_closed};

void end_start(struct end *end, struct net_stream *stream)
{
    end->stream = stream;
    end->starting = true;
    net_stream_start(stream, &end_events, end);
    end->starting = false;
}

void end_send_text(struct end *end, const char *text)
{
    assert_true(net_stream_write(end->stream, (const uint8_t *)text, strlen(text)) >= 0);
}

void end_send_pattern(struct end *end, size_t len)
{
    end->to_send += len;
    pump(end);
}

void end_check_pattern(const struct end *end, size_t len)
{
    const uint8_t *bytes = buf_data(&end->received);

    assert_int_equal(end->received.len, len);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(bytes[i], pattern(i));
    }
}

/* --- the harness --- */

static void on_stream(void *user, struct net_stream *stream)
{
    struct harness *harness = user;

    harness->accepted++;
    if (harness->drop) {
        net_stream_close(stream);
        return;
    }
    harness->server.ready = true;
    harness->server.stream = stream;
    if (!harness->server.hold) {
        end_start(&harness->server, stream);
    }
}

static void on_refused(void *user, const struct net_error *why)
{
    struct harness *harness = user;

    harness->refused++;
    harness->refusal = *why;
}

static void on_dialed(void *user, struct net_stream *stream, const struct net_error *error)
{
    struct end *end = user;

    assert_false(end->starting); /* not from within net_dial_start() */
    assert_true((stream == NULL) == (error != NULL));
    end->ready = true;
    if (error != NULL) {
        end->failed = true;
        end->error = *error;
        return;
    }
    end->stream = stream;
    if (!end->hold) {
        end_start(end, stream);
    }
}

void harness_init(struct harness *harness, bool tls)
{
    struct net_tls_client_config client = {.cacert_file = certificate("ca.pem")};
    struct net_tls_server_config server = {.cert_file = certificate("cert.pem"),
                                           .key_file = certificate("key.pem")};
    struct net_error error;

    memset(harness, 0, sizeof(*harness));
    assert_int_equal(net_loop_init(&harness->loop), 0);
    harness->server.loop = harness->client.loop = &harness->loop;
    if (tls) {
        harness->client_tls = net_tls_client_new(&client, &error);
        harness->server_tls = net_tls_server_new(&server, &error);
        assert_non_null(harness->client_tls);
        assert_non_null(harness->server_tls);
    }
}

static void end_deinit(struct end *end)
{
    if (end->stream != NULL) {
        net_stream_close(end->stream);
    }
}

void harness_deinit(struct harness *harness)
{
    end_deinit(&harness->client);
    end_deinit(&harness->server);
    net_listener_close(harness->listener);
    net_listener_close(harness->fed);
    net_loop_deinit(&harness->loop);
    buf_deinit(&harness->client.received);
    buf_deinit(&harness->server.received);
    net_tls_free(harness->client_tls);
    net_tls_free(harness->server_tls);
    assert_int_equal(ERR_peek_error(), 0);
}

void harness_listen(struct harness *harness)
{
    struct net_listener_config config = {.address = {.host = "127.0.0.1"},
                                         .tls = harness->server_tls};
    struct net_listener_events events = {.on_stream = on_stream, .on_refused = on_refused};
    struct net_error error;

    harness->listener = net_listener_open(&harness->loop, &config, &events, harness, &error);
    assert_non_null(harness->listener);
}

static void on_accepted(void *user, int fd)
{
    struct harness *harness = user;

    net_listener_take(harness->fed, fd);
}

void harness_listen_fed(struct harness *harness)
{
    struct net_listener_config config = {.address = {.host = "127.0.0.1"}};
    struct net_listener_events accepts = {.on_accepted = on_accepted};
    struct net_listener_events serves = {.on_stream = on_stream, .on_refused = on_refused};
    struct net_error error;

    harness->listener = net_listener_open(&harness->loop, &config, &accepts, harness, &error);
    harness->fed = net_listener_open_fed(&harness->loop, harness->server_tls, &serves, harness);
    assert_non_null(harness->listener);
}

struct net_dial *harness_dial(struct harness *harness, uint16_t port, uint64_t timeout_ms)
{
    struct sockaddr_in address;
    struct net_dial_config config = {.host = "localhost", .tls = harness->client_tls};
    struct net_dial *dial;

    config.port = port != 0 ? port : net_listener_port(harness->listener);
    config.timeout_ms = timeout_ms;
    uv_ip4_addr("127.0.0.1", config.port, &address);
    config.address = (struct sockaddr *)&address;
    harness->client.starting = true;
    dial = net_dial_start(&harness->loop, &config, on_dialed, &harness->client);
    harness->client.starting = false;
    return dial;
}

void harness_connect(struct harness *harness)
{
    harness_listen(harness);
    harness_dial(harness, 0, NET_HELLO_MS); /* as long as the other end waits */
    run_until(&harness->loop, &harness->client.ready);
    assert_false(harness->client.failed);
    run_until(&harness->loop, &harness->server.ready);
}

static void turn(struct net_loop *loop, uint64_t deadline_ms)
{
    if (uv_now(&loop->uv) >= deadline_ms) {
        fail_msg("the test's deadline has passed");
    }
    uv_run(&loop->uv, UV_RUN_ONCE); /* the loop's timer ends every wait */
}

void run_until(struct net_loop *loop, const bool *flag)
{
    uint64_t deadline_ms;

    uv_update_time(&loop->uv);
    deadline_ms = uv_now(&loop->uv) + TEST_DEADLINE_MS;
    while (!*flag) {
        turn(loop, deadline_ms);
    }
}

void run_for(struct net_loop *loop, uint64_t ms)
{
    uint64_t end_ms;

    uv_update_time(&loop->uv);
    end_ms = uv_now(&loop->uv) + ms;
    while (uv_now(&loop->uv) < end_ms) {
        uv_run(&loop->uv, UV_RUN_ONCE);
    }
}

void run_until_received(struct end *end, size_t len)
{
    uint64_t deadline_ms;

    uv_update_time(&end->loop->uv);
    deadline_ms = uv_now(&end->loop->uv) + TEST_DEADLINE_MS;
    while (end->received.len < len) {
        turn(end->loop, deadline_ms);
    }
}

/* --- bare peers --- */

int raw_listen(uint16_t *ret_port)
{
    struct sockaddr_in address;
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    uv_ip4_addr("127.0.0.1", 0, &address);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void set_deadline(int fd)
{
    struct timeval limit = {.tv_sec = TEST_DEADLINE_MS / 1000};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

int raw_connect(uint16_t port)
{
    struct sockaddr_in address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    uv_ip4_addr("127.0.0.1", port, &address);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    set_deadline(fd);
    return fd;
}

void raw_open(struct raw *raw, int fd, SSL_CTX *ctx, bool server)
{
    memset(raw, 0, sizeof(*raw));
    raw->fd = fd;
    set_deadline(fd);
    if (ctx == NULL) {
        return;
    }
    raw->ssl = SSL_new(ctx);
    raw->in = BIO_new(BIO_s_mem());
    raw->out = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(raw->in, -1);
    SSL_set_bio(raw->ssl, raw->in, raw->out);
    if (server) {
        SSL_set_accept_state(raw->ssl);
    } else {
        SSL_set_connect_state(raw->ssl);
    }
}

void raw_close(struct raw *raw)
{
    SSL_free(raw->ssl);
    close(raw->fd);
}

bool raw_flush(struct raw *raw)
{
    char *bytes;
    long len = BIO_get_mem_data(raw->out, &bytes);

    for (long sent = 0; sent < len;) {
        ssize_t count = send(raw->fd, bytes + sent, (size_t)(len - sent), MSG_NOSIGNAL);

        if (count <= 0) {
            return false;
        }
        sent += count;
    }
    (void)BIO_reset(raw->out);
    return true;
}

bool raw_fill(struct raw *raw)
{
    uint8_t bytes[16384];
    ssize_t count = recv(raw->fd, bytes, sizeof(bytes), 0);

    return count > 0 && BIO_write(raw->in, bytes, (int)count) == (int)count;
}

int raw_handshake(struct raw *raw)
{
    for (;;) {
        ERR_clear_error();
        int result = SSL_do_handshake(raw->ssl);

        if (result == 1) {
            return 1;
        }
        if (SSL_get_error(raw->ssl, result) != SSL_ERROR_WANT_READ) {
            int reason = ERR_GET_REASON(ERR_peek_error());

            ERR_clear_error();
            raw_flush(raw);
            return reason;
        }
        if (!raw_flush(raw) || !raw_fill(raw)) {
            return -1;
        }
    }
}

void thread_start(pthread_t *thread, void *(*run)(void *), void *arg)
{
    assert_int_equal(pthread_create(thread, NULL, run, arg), 0);
}
