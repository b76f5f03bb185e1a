/* What tls_io.c does and tls_error.c explains. */
#ifndef GRPCROUTE_NET_TLS_IO_IMPL_H
#define GRPCROUTE_NET_TLS_IO_IMPL_H

#include "base/mem.h"
#include "net/tls_io.h"
#include "net/tls_memory.h"

#include <openssl/ssl.h>
#include <stdbool.h>

/* Handshake messages a peer may send per minute after the handshake (KeyUpdate, session tickets):
 * each costs us a key derivation. RFC 8446 section 4.6.3 knows no limit. */
#define NET_TLS_IO_MESSAGES_MAX 100
#define NET_TLS_IO_MESSAGES_MS  60000
/* Names of a certificate that are shown in a message. */
#define NET_TLS_IO_NAMES_BYTES 120
#define NET_TLS_IO_DATE_BYTES  40

struct net_tls_io {
    SSL *ssl;                /* owned; net_tls_io_ssl() wakes it */
    struct sparse pieces;    /* owned; of the SSL */
    struct net_loop *loop;   /* its clock, and its cipher_bytes for what goes out */
    const char *peer_label;  /* borrowed during the handshake */
    const char *server_name; /* the same; NULL: this is the server's side */
    bool handshake_done;
    bool failed;                     /* TLS must not be used again */
    bool heard;                      /* the peer has sent something */
    bool not_tls;                    /* and it was no TLS record */
    enum net_credential certificate; /* ours, where this is the client's side */
    bool no_alpn;                    /* the peer does not offer or did not choose h2 */
    bool flooding;                   /* too many messages after the handshake */

    unsigned int messages; /* since window_start_ms */
    uint64_t window_start_ms;

    unsigned long reason;            /* OpenSSL's, when it failed */
    struct net_tls_verdict *verdict; /* owned; NULL unless the certificate was refused */

    const uint8_t *in; /* borrowed slice of ciphertext */
    size_t in_len;
    size_t out_len; /* in the loop's cipher_bytes */
};

/* The SSL, awake: the one way to it once it is made. A question may be what wakes it, so `io` only
 * looks const. */
static inline SSL *net_tls_io_ssl(const struct net_tls_io *io)
{
    if (sparse_is_away(&io->pieces)) {
        sparse_bring_back(mem_unconst(&io->pieces));
    }
    return io->ssl;
}

/* Why the peer's certificate was refused, in words: its own bytes are escaped. */
struct net_tls_verdict {
    int code;                           /* X509_V_ERR_ */
    int depth;                          /* 0: the leaf */
    char names[NET_TLS_IO_NAMES_BYTES]; /* those the certificate is for */
    bool has_common_name_only;          /* it is no name of a host */
    char issuer[NET_TLS_IO_NAMES_BYTES];
    char date[NET_TLS_IO_DATE_BYTES]; /* of expiry or first validity */
};

/* For SSL_set_verify: remembers the first refusal in the struct net_tls_io. */
int net_tls_verdict_on_verify(int ok, X509_STORE_CTX *store);

#endif
