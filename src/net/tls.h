/* TLS contexts: what certificates to show and whom to trust. Always TLS 1.2 or later, ALPN h2,
 * no compression, no renegotiation, no session cache, buffers released while idle. */
#ifndef GRPCROUTE_NET_TLS_H
#define GRPCROUTE_NET_TLS_H

#include "net/error.h"

#include <stdbool.h>
#include <stddef.h>
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
    /* PEM: authorities that sign the certificates of clients, who are asked for one; NULL: they are
     * not asked. Who shows one that these did not sign is refused. */
    const char *client_ca_file;
    bool client_cert_optional; /* who shows none is let in */
};

/* Make a context. NULL on failure, with a sentence in `ret_error` that names the file and what is
 * wrong with it (missing, unreadable, not PEM, key and certificate do not match, expired). */
struct net_tls *net_tls_client_new(const struct net_tls_client_config *config,
                                   struct net_error *ret_error);
struct net_tls *net_tls_server_new(const struct net_tls_server_config *config,
                                   struct net_error *ret_error);

/* Whether the certificate that the context shows is past its end, or not yet at its begin; false
 * without one. */
bool net_tls_is_expired(const struct net_tls *tls);
bool net_tls_is_early(const struct net_tls *tls);

/* What became of the client's certificate in a handshake. */
enum net_credential {
    NET_CREDENTIAL_NOT_ASKED, /* the server did not want one */
    NET_CREDENTIAL_SHOWN,
    NET_CREDENTIAL_NONE,  /* it did, and there is none */
    NET_CREDENTIAL_UNFIT, /* it did, and takes no signature of the type that our key makes */
};

#define NET_CERTIFICATE_NAMES 32

/* A certificate that a context shows, its texts escaped and cut where they are longer. */
struct net_certificate {
    char subject[256]; /* RFC 2253 */
    char serial[48];   /* hexadecimal */
    struct {
        const char *kind; /* static; "dns", "ip_address" or "uri" */
        char text[256];
    } names[NET_CERTIFICATE_NAMES]; /* of the subjectAltName */
    size_t name_count;
    int64_t begin_s; /* seconds since 1970 */
    int64_t end_s;
};

/* The same again; where the files hold what `current`, NULL or a server's, was made of, that is
 * shared instead, for to make one takes milliseconds. */
struct net_tls *net_tls_server_renew(struct net_tls *current,
                                     const struct net_tls_server_config *config,
                                     struct net_error *ret_error);

/* The file that a server's certificates came from; borrowed. */
const char *net_tls_file(const struct net_tls *tls);

/* The n-th certificate that the context shows, the leaf first. False when there is none. */
bool net_tls_certificate(const struct net_tls *tls, size_t n, struct net_certificate *ret);

#define NET_TLS_WORDS_BYTES 192

/* Of the leaf, for a line: "CN=x, until 2026-01-02T03:04:05.000Z"; the file where the subject is
 * empty. */
void net_tls_words(const struct net_tls *tls, char out[static NET_TLS_WORDS_BYTES]);

/* Whether two contexts of servers show the same certificates, and ask clients for the same. */
bool net_tls_is_same(const struct net_tls *a, const struct net_tls *b);

/* When the peer's certificates end, in seconds since 1970. */
struct net_expiry {
    int64_t leaf_s;
    int64_t chain_s; /* the first of those that its trust rests on, the leaf and the authority among
                        them */
};

/* One owner more; accepts NULL. Returns `tls`. */
struct net_tls *net_tls_ref(struct net_tls *tls);
/* One owner less; accepts NULL. Streams made from it keep what they need. */
void net_tls_free(struct net_tls *tls);

/* Lets net_stream_rest() put away what OpenSSL holds of a stream. To be called before anything else
 * of OpenSSL is, and before there are threads: later it does nothing. */
void net_tls_rest_enable(void);

#endif
