/* The inside of a TLS context, for the sessions made from it. */
#ifndef GRPCROUTE_NET_TLS_IMPL_H
#define GRPCROUTE_NET_TLS_IMPL_H

#include "net/tls.h"

#include <openssl/ssl.h>
#include <stdatomic.h>

#define NET_TLS_DIGEST_BYTES 32 /* SHA-256 */

struct net_tls {
    SSL_CTX *ctx;                                         /* owned */
    char *file;                                           /* owned; of a server's certificates */
    unsigned char client_ca_digest[NET_TLS_DIGEST_BYTES]; /* of the file, zeros without one */
    unsigned char
        files_digest[NET_TLS_DIGEST_BYTES]; /* of all that it was made of, if `has_files` */
    bool has_files;
    atomic_int owners;
    bool server;
    bool verify;       /* the client checks chain and name */
    int client_verify; /* a server's SSL_VERIFY flags; SSL_VERIFY_NONE: it asks for no certificate
                        */
};

/* By which a file that changed is told. Returns 0 or -1. */
int net_tls_digest_file(const char *file, unsigned char out[static NET_TLS_DIGEST_BYTES]);
/* Returns 0, or -1 with an error for a certificate that has expired; `file` is its name. */
int net_tls_check_dates(const struct net_tls *tls, const char *file, struct net_error *error);

/* Versions, ciphers, groups, and no resumption. */
void net_tls_policy_apply(SSL_CTX *ctx);

/* Seconds since 1970; 0 where the date is none. */
int64_t net_tls_date_s(const ASN1_TIME *date);

/* Called by OpenSSL for every message and record of every session (SSL_CTX_set_msg_callback). */
void net_tls_io_on_message(int sent, int version, int content_type, const void *bytes, size_t len,
                           SSL *ssl, void *arg);
/* The server's choice of a protocol: refuses clients that do not offer h2. */
int net_tls_io_on_client_hello(SSL *ssl, int *ret_alert, void *arg);
int net_tls_io_on_alpn(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_len,
                       const unsigned char *offered, unsigned int offered_len, void *arg);
/* A server asks for a certificate that the client does not have, or cannot use there
 * (SSL_CTX_set_client_cert_cb). */
int net_tls_io_on_certificate_wanted(SSL *ssl, X509 **ret_cert, EVP_PKEY **ret_key);

#endif
