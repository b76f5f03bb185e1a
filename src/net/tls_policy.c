/* What every connection of ours may be: versions, ciphers and groups, and that each handshake is a
 * whole one. docs/tls.md tells it to users. */
#include "net/tls_impl.h"

#include "base/mem.h"

#include <assert.h>
#include <openssl/err.h>

/* What HTTP/2 allows of TLS 1.2 (RFC 9113 section 9.2.2): keys that are forgotten, ciphers that
 * authenticate. AES-128 first, which costs two thirds of AES-256. */
static const char CIPHERS[] = "ECDHE-ECDSA-AES128-GCM-SHA256:"
                              "ECDHE-RSA-AES128-GCM-SHA256:"
                              "ECDHE-ECDSA-AES256-GCM-SHA384:"
                              "ECDHE-RSA-AES256-GCM-SHA384:"
                              "ECDHE-ECDSA-CHACHA20-POLY1305:"
                              "ECDHE-RSA-CHACHA20-POLY1305";
static const char SUITES[] = "TLS_AES_128_GCM_SHA256:"
                             "TLS_AES_256_GCM_SHA384:"
                             "TLS_CHACHA20_POLY1305_SHA256";
/* The first one holds that this OpenSSL knows: from 3.5 on, before, and where it is one of FIPS. */
static const char *const GROUPS[] = {"X25519MLKEM768:X25519:P-256:P-384", "X25519:P-256:P-384",
                                     "P-256:P-384"};

/* Nothing with SHA-1. What is short of these is refused in certificates, too, by the level: RSA of
 * 2048 bits at least, curves of 224. */
static const char SIGNATURES[] = "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:ed448:"
                                 "rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:"
                                 "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:"
                                 "RSA+SHA256:RSA+SHA384:RSA+SHA512";
#define SECURITY_LEVEL 2

/* A client without instructions for AES says so by what it prefers. */
#define OPTIONS                                                                                    \
    (SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |                          \
     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA | SSL_OP_ENABLE_MIDDLEBOX_COMPAT)

static void set_groups(SSL_CTX *ctx)
{
    size_t i = 0;
    while (i < ARRAY_SIZE(GROUPS) && SSL_CTX_set1_groups_list(ctx, GROUPS[i]) != 1) {
        i++;
    }
    ERR_clear_error();
}

static void set_ciphers(SSL_CTX *ctx)
{
    int set =
        SSL_CTX_set_cipher_list(ctx, CIPHERS) == 1 && SSL_CTX_set_ciphersuites(ctx, SUITES) == 1;
    assert(set);
    (void)set; /* with NDEBUG */
}

static void set_signatures(SSL_CTX *ctx)
{
    int set = SSL_CTX_set1_sigalgs_list(ctx, SIGNATURES) == 1 &&
              SSL_CTX_set1_client_sigalgs_list(ctx, SIGNATURES) == 1;
    assert(set);
    (void)set; /* with NDEBUG */
}

/* OpenSSL's configuration (OPENSSL_CONF, its section system_default) was applied when `ctx` was
 * made: each of its settings is set again, and what has no place here is taken back. */
void net_tls_policy_apply(SSL_CTX *ctx)
{
    SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION);
    set_ciphers(ctx);
    set_groups(ctx);
    set_signatures(ctx);
    SSL_CTX_clear_options(ctx, SSL_CTX_get_options(ctx));
    SSL_CTX_set_options(ctx, OPTIONS);
    /* Who is trusted is what the user named. */
    SSL_CTX_set0_verify_cert_store(ctx, NULL);
    SSL_CTX_set0_chain_cert_store(ctx, NULL);
    /* Nothing is resumed: neither by tickets nor from a cache. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 0);
}
