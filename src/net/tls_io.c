/* TLS of one stream over a BIO that reads from a borrowed slice and writes to the loop's buffer. */
#include "net/tls_io.h"

#include "base/mem.h"
#include "net/tls_impl.h"
#include "net/tls_io_impl.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const unsigned char alpn_h2[] = {2, 'h', '2'};

/* --- the BIO --- */

static BIO_METHOD *bio_method; /* made once for the process, never freed */
static pthread_once_t bio_method_once = PTHREAD_ONCE_INIT;

/* A TLS record of the handshake or an alert begins so (RFC 8446 section 5.1). */
static bool looks_like_tls(const uint8_t *bytes)
{
    return bytes[0] == SSL3_RT_HANDSHAKE || bytes[0] == SSL3_RT_ALERT;
}

static int on_bio_read(BIO *bio, char *out, int cap)
{
    struct net_tls_io *io = BIO_get_data(bio);
    size_t count = io->in_len < (size_t)cap ? io->in_len : (size_t)cap;

    BIO_clear_retry_flags(bio);
    if (count == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (!io->heard) {
        io->heard = true;
        io->not_tls = !looks_like_tls(io->in);
    }
    memcpy(out, io->in, count);
    io->in += count;
    io->in_len -= count;
    return (int)count;
}

static int on_bio_write(BIO *bio, const char *bytes, int len)
{
    struct net_tls_io *io = BIO_get_data(bio);
    size_t room = NET_CIPHER_BYTES - io->out_len;

    BIO_clear_retry_flags(bio);
    if (room == 0) { /* only a certificate chain of more than 64 KiB gets here */
        BIO_set_retry_write(bio);
        return -1;
    }
    if ((size_t)len > room) {
        len = (int)room;
    }
    memcpy(io->loop->cipher_bytes + io->out_len, bytes, (size_t)len);
    io->out_len += (size_t)len;
    return len;
}

static long on_bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static void make_bio_method(void)
{
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "net");
    BIO_meth_set_read(bio_method, on_bio_read);
    BIO_meth_set_write(bio_method, on_bio_write);
    BIO_meth_set_ctrl(bio_method, on_bio_ctrl);
}

static BIO *make_bio(struct net_tls_io *io)
{
    BIO *bio;

    pthread_once(&bio_method_once, make_bio_method);
    bio = BIO_new(bio_method);
    if (bio == NULL) {
        abort(); /* no memory, as in mem_calloc() */
    }
    BIO_set_data(bio, io);
    BIO_set_init(bio, 1);
    return bio;
}

/* --- callbacks of the context --- */

void net_tls_io_on_message(int sent, int version, int content_type, const void *bytes, size_t len,
                           SSL *ssl, void *arg)
{
    struct net_tls_io *io = SSL_get_app_data(ssl);
    uint64_t now_ms;

    (void)version;
    (void)arg;
    if (!sent && content_type == SSL3_RT_HANDSHAKE && len > 0 &&
        *(const uint8_t *)bytes == SSL3_MT_CERTIFICATE_REQUEST) {
        io->certificate = NET_CREDENTIAL_SHOWN; /* unless we hear that it cannot be */
    }
    if (sent || content_type != SSL3_RT_HANDSHAKE || !io->handshake_done) {
        return;
    }
    now_ms = uv_now(&io->loop->uv);
    if (now_ms - io->window_start_ms >= NET_TLS_IO_MESSAGES_MS) {
        io->window_start_ms = now_ms;
        io->messages = 0;
    }
    io->flooding = ++io->messages > NET_TLS_IO_MESSAGES_MAX;
}

int net_tls_io_on_client_hello(SSL *ssl, int *ret_alert, void *arg)
{
    struct net_tls_io *io = SSL_get_app_data(ssl);
    const unsigned char *extension;
    size_t len;

    (void)arg;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation,
                                  &extension, &len) == 1) {
        return SSL_CLIENT_HELLO_SUCCESS; /* net_tls_io_on_alpn() judges it */
    }
    io->no_alpn = true;
    *ret_alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    return SSL_CLIENT_HELLO_ERROR;
}

int net_tls_io_on_alpn(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_len,
                       const unsigned char *offered, unsigned int offered_len, void *arg)
{
    struct net_tls_io *io = SSL_get_app_data(ssl);
    unsigned char *chosen;

    (void)arg;
    if (SSL_select_next_proto(&chosen, ret_len, alpn_h2, sizeof(alpn_h2), offered, offered_len) !=
        OPENSSL_NPN_NEGOTIATED) {
        io->no_alpn = true;
        return SSL_TLSEXT_ERR_ALERT_FATAL; /* no_application_protocol, RFC 7301 section 3.2 */
    }
    *ret_name = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* Called when the server asks for a certificate and none is configured that it takes; it goes
 * without. */
int net_tls_io_on_certificate_wanted(SSL *ssl, X509 **ret_cert, EVP_PKEY **ret_key)
{
    struct net_tls_io *io = SSL_get_app_data(ssl);

    (void)ret_cert;
    (void)ret_key;
    io->certificate = SSL_get_certificate(ssl) != NULL ? NET_CREDENTIAL_UNFIT : NET_CREDENTIAL_NONE;
    return 0;
}

enum net_credential net_tls_io_credential(const struct net_tls_io *io)
{
    return io->certificate;
}

/* --- a session --- */

static bool is_address(const char *name)
{
    unsigned char bytes[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

/* The name to send and to verify. */
static void set_server_name(SSL *ssl, const char *server_name, bool verify)
{
    char name[256]; /* as long as a DNS name gets (RFC 1035 section 2.3.4) */
    size_t len = strnlen(server_name, sizeof(name) - 1);
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

    memcpy(name, server_name, len);
    /* "host." is the same host, but certificates and SNI go without the dot (RFC 6066 section 3).
     */
    len -= len > 0 && name[len - 1] == '.';
    name[len] = '\0';
    if (is_address(name)) {
        if (verify) {
            X509_VERIFY_PARAM_set1_ip_asc(param, name);
        }
        return; /* no SNI for addresses: RFC 6066 section 3 */
    }
    SSL_set_tlsext_host_name(ssl, name);
    if (verify) {
        /* the common name is no name of a host to Go, grpc and browsers either (RFC 9525) */
        X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                                   X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
        X509_VERIFY_PARAM_set1_host(param, name, len);
    }
}

struct net_tls_io *net_tls_io_new(struct net_tls *tls, struct net_loop *loop,
                                  const char *peer_label, const char *server_name)
{
    struct net_tls_io *io = mem_new(struct net_tls_io);
    BIO *bio = make_bio(io);

    io->loop = loop;
    io->peer_label = peer_label;
    io->server_name = server_name;
    io->ssl = net_tls_memory_new(tls->ctx, &io->pieces);
    if (io->ssl == NULL) {
        abort(); /* no memory, as in mem_calloc() */
    }
    SSL_set_app_data(io->ssl, io);
    SSL_set_bio(io->ssl, bio, bio); /* moves both references, which are one when they are equal */
    if (tls->server) {
        SSL_set_accept_state(io->ssl);
        SSL_set_verify(io->ssl, tls->client_verify,
                       tls->client_verify != SSL_VERIFY_NONE ? net_tls_verdict_on_verify : NULL);
        return io;
    }
    SSL_set_connect_state(io->ssl);
    SSL_set_alpn_protos(io->ssl, alpn_h2, sizeof(alpn_h2));
    SSL_set_verify(io->ssl, tls->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
                   tls->verify ? net_tls_verdict_on_verify : NULL);
    set_server_name(io->ssl, server_name, tls->verify);
    return io;
}

void net_tls_io_free(struct net_tls_io *io)
{
    if (io == NULL) {
        return;
    }
    net_tls_memory_free(io->ssl, &io->pieces);
    free(io->verdict);
    free(io);
}

void net_tls_io_rest(struct net_tls_io *io)
{
    if (io->handshake_done) {
        sparse_put_away(&io->pieces);
    }
}

void net_tls_io_feed(struct net_tls_io *io, const uint8_t *bytes, size_t len)
{
    io->in = bytes;
    io->in_len = len;
}

const uint8_t *net_tls_io_unread(const struct net_tls_io *io, size_t *ret_len)
{
    *ret_len = io->in_len;
    return io->in;
}

bool net_tls_io_is_drained(const struct net_tls_io *io)
{
    return io->in_len == 0 && SSL_has_pending(net_tls_io_ssl(io)) == 0;
}

bool net_tls_io_has_pending(const struct net_tls_io *io)
{
    return SSL_has_pending(net_tls_io_ssl(io)) == 1;
}

size_t net_tls_io_take_output(struct net_tls_io *io)
{
    size_t len = io->out_len;

    io->out_len = 0;
    return len;
}

/* Turns a result of OpenSSL that is not a success into an outcome. */
static int outcome_of(struct net_tls_io *io, int result)
{
    int error = SSL_get_error(net_tls_io_ssl(io), result);

    if (error == SSL_ERROR_WANT_READ) {
        return NET_TLS_IO_MORE;
    }
    if (error == SSL_ERROR_WANT_WRITE && !io->handshake_done) {
        return NET_TLS_IO_FULL;
    }
    if (error == SSL_ERROR_ZERO_RETURN) {
        return NET_TLS_IO_E_ENDED;
    }
    io->failed = true;
    io->reason = ERR_peek_error();
    ERR_clear_error();
    return NET_TLS_IO_E_FAILED;
}

static int check_alpn(struct net_tls_io *io)
{
    const unsigned char *name;
    unsigned int len;

    SSL_get0_alpn_selected(net_tls_io_ssl(io), &name, &len);
    if (len == 2 && memcmp(name, "h2", 2) == 0) {
        return NET_TLS_IO_DONE;
    }
    io->no_alpn = true;
    return NET_TLS_IO_E_FAILED;
}

/* SSL_get_error() needs the thread's queue of errors empty before each call, which it nearly always
 * is: to clear it costs as much as a tenth of a record. */
static void forget_errors(void)
{
    if (ERR_peek_error() != 0) {
        ERR_clear_error();
    }
}

int net_tls_io_handshake(struct net_tls_io *io)
{
    int result;
    int outcome;

    forget_errors();
    result = SSL_do_handshake(net_tls_io_ssl(io));
    if (result != 1) {
        outcome = outcome_of(io, result);
        return outcome == NET_TLS_IO_E_ENDED ? NET_TLS_IO_E_FAILED : outcome;
    }
    io->handshake_done = true;
    io->window_start_ms = uv_now(&io->loop->uv);
    return check_alpn(io);
}

bool net_tls_io_is_greeted(const struct net_tls_io *io)
{
    OSSL_HANDSHAKE_STATE state = SSL_get_state(net_tls_io_ssl(io));

    return state != TLS_ST_BEFORE && state != TLS_ST_SR_CLNT_HELLO;
}

int net_tls_io_read(struct net_tls_io *io, uint8_t *out, size_t cap)
{
    int count;

    forget_errors();
    count = SSL_read(net_tls_io_ssl(io), out, (int)cap);
    if (io->flooding) {
        io->failed = true;
        return NET_TLS_IO_E_FAILED;
    }
    return count > 0 ? count : outcome_of(io, count);
}

int net_tls_io_write(struct net_tls_io *io, const uint8_t *bytes, size_t len)
{
    int count;

    if (io->failed) {
        return UV_EPIPE;
    }
    forget_errors();
    count = SSL_write(net_tls_io_ssl(io), bytes, (int)len);
    if (count != (int)len) {
        outcome_of(io, count);
        return UV_EPROTO;
    }
    return 0;
}

void net_tls_io_end(struct net_tls_io *io)
{
    if (io->failed || !io->handshake_done) {
        return;
    }
    ERR_clear_error();
    SSL_shutdown(net_tls_io_ssl(io));
    ERR_clear_error();
}
