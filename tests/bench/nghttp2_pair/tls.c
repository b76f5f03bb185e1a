/* TLS contexts for h2, see tls.h. */
#include "tls.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

static const unsigned char alpn_h2[] = {2, 'h', '2'};

static SSL_CTX *complain(SSL_CTX *context, const char *what)
{
    fprintf(stderr, "%s: %s\n", what, ERR_reason_error_string(ERR_get_error()));
    SSL_CTX_free(context);
    return NULL;
}

static SSL_CTX *common(const SSL_METHOD *method)
{
    SSL_CTX *context = SSL_CTX_new(method);

    if (context == NULL) {
        abort();
    }
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1); /* a record with its header in one call */
    return context;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                   const unsigned char *in, unsigned in_length, void *user)
{
    unsigned char *selected;

    (void)ssl;
    (void)user;
    if (SSL_select_next_proto(&selected, out_length, alpn_h2, sizeof(alpn_h2), in, in_length) !=
        OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = selected;
    return SSL_TLSEXT_ERR_OK;
}

SSL_CTX *tls_server(const char *cert_file, const char *key_file)
{
    SSL_CTX *context = common(TLS_server_method());

    if (SSL_CTX_use_certificate_chain_file(context, cert_file) != 1) {
        return complain(context, cert_file);
    }
    if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1) {
        return complain(context, key_file);
    }
    SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
    return context;
}

SSL_CTX *tls_client(const char *ca_file)
{
    SSL_CTX *context = common(TLS_client_method());

    if (SSL_CTX_load_verify_locations(context, ca_file, NULL) != 1) {
        return complain(context, ca_file);
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_alpn_protos(context, alpn_h2, sizeof(alpn_h2));
    return context;
}

static SSL *of_context(SSL_CTX *context)
{
    SSL *ssl = context != NULL ? SSL_new(context) : NULL;

    if (context != NULL && ssl == NULL) {
        abort();
    }
    return ssl;
}

SSL *tls_accepting(SSL_CTX *context)
{
    SSL *ssl = of_context(context);

    if (ssl != NULL) {
        SSL_set_accept_state(ssl);
    }
    return ssl;
}

SSL *tls_connecting(SSL_CTX *context)
{
    SSL *ssl = of_context(context);

    if (ssl != NULL) {
        SSL_set_connect_state(ssl);
        SSL_set_tlsext_host_name(ssl, "localhost");
        SSL_set1_host(ssl, "localhost");
    }
    return ssl;
}
