/* TLS contexts: what certificates to show and whom to trust. Always TLS 1.2 or later, ALPN h2,
 * no compression, no renegotiation, no session cache, buffers released while idle. */
#ifndef GRPCROUTE_NET_TLS_H
#define GRPCROUTE_NET_TLS_H

#include "net/error.h"

#include <stdbool.h>
#include <stdint.h>

struct net_tls; /* an SSL_CTX; may be shared by threads once made */

struct net_tls_client_config {
    const char *cacert_file; /* PEM; NULL: SSL_CERT_FILE, SSL_CERT_DIR, else the system's */
    bool skip_verify;        /* neither chain nor name; never the default */
    const char *cert_file;   /* PEM, leaf first: who the client is; NULL: it shows none */
    const char *key_file;    /* PEM, must fit the leaf */
    const char *passphrase;  /* of an encrypted key; NULL: none */
};

struct net_tls_server_config {
    const char *cert_file; /* PEM, leaf first */
    const char *key_file;  /* PEM, must fit the leaf */
};

/* Make a context. NULL on failure, with a sentence in `ret_error` that names the file and what is
 * wrong with it (missing, unreadable, not PEM, key and certificate do not match, expired). */
struct net_tls *net_tls_client_new(const struct net_tls_client_config *config,
                                   struct net_error *ret_error);
struct net_tls *net_tls_server_new(const struct net_tls_server_config *config,
                                   struct net_error *ret_error);

/* Whether the certificate that the context shows is past its end; false without one. */
bool net_tls_is_expired(const struct net_tls *tls);

/* When the peer's certificates end, in seconds since 1970. */
struct net_expiry {
    int64_t leaf_s;
    int64_t chain_s; /* the first of those that its trust rests on, the leaf and the authority among them */
};

/* Accepts NULL. Streams made from it keep what they need. */
void net_tls_free(struct net_tls *tls);

#endif
