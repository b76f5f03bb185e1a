/* Contexts of fuzz_tls.c, on keys that are made when it starts and are in no file. */
#ifndef GRPCROUTE_TESTS_FUZZ_TLS_CONTEXTS_H
#define GRPCROUTE_TESTS_FUZZ_TLS_CONTEXTS_H

#include "net/tls.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of the one server name that the certificates are for. */
#define TLS_CONTEXTS_NAME "localhost"

struct tls_contexts {
    struct net_tls *servers[2]; /* the second one asks for certificates of clients */
    struct net_tls *clients[2]; /* the second one has one */
    EVP_PKEY *key;              /* of all of them */
    EVP_PKEY *other_key;        /* nobody's */
    X509 *cert;                 /* of the authority, which is all there is */
};

void tls_contexts_init(struct tls_contexts *contexts);

/* Shows on this session another certificate, whose names are `bytes`: the subject, and by the first
 * byte none, a DNS name or a URI. Signed by the authority, or, with the other key, by itself. */
void tls_contexts_name(const struct tls_contexts *contexts, SSL *ssl, bool self_signed,
                       const uint8_t *bytes, size_t len);

#endif
