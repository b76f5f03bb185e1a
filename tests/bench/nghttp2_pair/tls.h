/* TLS contexts for h2. */
#ifndef NGHTTP2_PAIR_TLS_H
#define NGHTTP2_PAIR_TLS_H

#include <openssl/ssl.h>

/* Return a context that the caller owns, or NULL after a line on stderr. */
SSL_CTX *tls_server(const char *cert_file, const char *key_file);
SSL_CTX *tls_client(const char *ca_file); /* for connections that verify "localhost" */

/* A connection of its own, NULL for a NULL context. */
SSL *tls_accepting(SSL_CTX *context);
SSL *tls_connecting(SSL_CTX *context);

#endif
