/* What a context shows to peers, in words. */
#include "net/tls.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "net/tls_impl.h"
#include "net/tls_io_impl.h"

#include <arpa/inet.h>
#include <assert.h>
#include <openssl/bn.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Seconds since 1970; 0 where the date is none. */
int64_t net_tls_date_s(const ASN1_TIME *date)
{
    struct tm parts;
    return ASN1_TIME_to_tm(date, &parts) == 1 ? (int64_t)timegm(&parts) : 0;
}

/* A certificate's bytes are not to be trusted with a terminal. */
static void set_text(char *out, size_t out_bytes, const char *bytes, size_t len)
{
    text_escape(out, out_bytes, bytes, len);
}

static void set_subject(struct net_certificate *out, const X509 *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes = NULL;
    X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253);
    long len = BIO_get_mem_data(bio, &bytes);
    set_text(out->subject, sizeof(out->subject), bytes, len > 0 ? (size_t)len : 0);
    BIO_free(bio);
}

static void set_serial(struct net_certificate *out, const X509 *cert)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
    char *text = number != NULL ? BN_bn2hex(number) : NULL;
    snprintf(out->serial, sizeof(out->serial), "%s", text != NULL ? text : "");
    OPENSSL_free(text);
    BN_free(number);
}

/* Returns the kind of the name, or NULL for one that is not shown. */
static const char *format_name(const GENERAL_NAME *name, char *out, size_t out_bytes)
{
    int type;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    if (type != GEN_DNS && type != GEN_URI && type != GEN_IPADD) {
        return NULL;
    }
    const unsigned char *bytes = ASN1_STRING_get0_data(value);
    int len = ASN1_STRING_length(value);
    if (type != GEN_IPADD) {
        set_text(out, out_bytes, (const char *)bytes, (size_t)len);
        return type == GEN_DNS ? "dns" : "uri";
    }
    return (len == 4 || len == 16) && inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, out,
                                                (socklen_t)out_bytes) != NULL
               ? "ip_address"
               : NULL;
}

static void set_names(struct net_certificate *out, const X509 *cert)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && out->name_count < NET_CERTIFICATE_NAMES;
         i++) {
        size_t n = out->name_count;
        out->names[n].kind = format_name(sk_GENERAL_NAME_value(names, i), out->names[n].text,
                                         sizeof(out->names[n].text));
        out->name_count += out->names[n].kind != NULL;
    }
    GENERAL_NAMES_free(names);
}

static void describe(struct net_certificate *out, const X509 *cert)
{
    memset(out, 0, sizeof(*out));
    set_subject(out, cert);
    set_serial(out, cert);
    set_names(out, cert);
    out->begin_s = net_tls_date_s(X509_get0_notBefore(cert));
    out->end_s = net_tls_date_s(X509_get0_notAfter(cert));
}

/* The n-th certificate that is shown, or NULL. */
static X509 *shown(const struct net_tls *tls, size_t n)
{
    STACK_OF(X509) *chain = NULL;
    if (n == 0) {
        return SSL_CTX_get0_certificate(tls->ctx);
    }
    SSL_CTX_get0_chain_certs(tls->ctx, &chain);
    return (int)n <= sk_X509_num(chain) ? sk_X509_value(chain, (int)n - 1) : NULL;
}

bool net_tls_certificate(const struct net_tls *tls, size_t n, struct net_certificate *ret)
{
    const X509 *cert = shown(tls, n);
    if (cert != NULL) {
        describe(ret, cert);
    }
    return cert != NULL;
}

const char *net_tls_file(const struct net_tls *tls)
{
    return tls->file;
}

void net_tls_words(const struct net_tls *tls, char out[static NET_TLS_WORDS_BYTES])
{
    const X509 *leaf = shown(tls, 0);
    struct net_certificate cert;
    char until[CLOCK_RFC3339_BYTES];
    assert(leaf != NULL); /* or the context would not have been made */
    describe(&cert, leaf);
    clock_format_s(cert.end_s, until);
    snprintf(out, NET_TLS_WORDS_BYTES, "%.120s, until %s",
             cert.subject[0] != '\0' ? cert.subject : tls->file, until);
}

bool net_tls_is_same(const struct net_tls *a, const struct net_tls *b)
{
    bool same = memcmp(a->client_ca_digest, b->client_ca_digest, NET_TLS_DIGEST_BYTES) == 0;
    const X509 *one;
    const X509 *other;
    size_t n = 0;
    do {
        one = shown(a, n);
        other = shown(b, n);
        n++;
        same =
            same && (one == NULL) == (other == NULL) && (one == NULL || X509_cmp(one, other) == 0);
    } while (same && one != NULL);
    return same;
}

/* ---- of a peer ------------------------------------------------------------------------------- */

/* Appends `;KEY="VALUE"`, with what the value has of quotes and backslashes escaped. */
static void append_field(struct buf *out, const char *key, const char *value, bool quoted)
{
    char head[32];
    int len = snprintf(head, sizeof(head), ";%s=%s", key, quoted ? "\"" : "");
    (void)buf_append(out, head, (size_t)len, SIZE_MAX);
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\') {
            (void)buf_append(out, "\\", 1, SIZE_MAX);
        }
        (void)buf_append(out, at, 1, SIZE_MAX);
    }
    if (quoted) {
        (void)buf_append(out, "\"", 1, SIZE_MAX);
    }
}

static void append_hash(struct buf *out, const X509 *cert)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    char hex[2 * EVP_MAX_MD_SIZE + 8] = "Hash=";
    X509_digest(cert, EVP_sha256(), digest, &len);
    for (unsigned int i = 0; i < len; i++) {
        snprintf(hex + 5 + 2 * (size_t)i, 3, "%02x", digest[i]);
    }
    (void)buf_append(out, hex, strlen(hex), SIZE_MAX);
}

char *net_tls_io_peer_identity(const struct net_tls_io *io)
{
    const X509 *cert = SSL_get0_peer_certificate(net_tls_io_ssl(io));
    struct net_certificate described;
    struct buf out = {0};
    if (cert == NULL) {
        return NULL;
    }
    describe(&described, cert);
    append_hash(&out, cert);
    append_field(&out, "Subject", described.subject, true);
    for (size_t i = 0; i < described.name_count; i++) {
        bool uri = strcmp(described.names[i].kind, "uri") == 0;
        bool dns = strcmp(described.names[i].kind, "dns") == 0;
        if (uri || dns) {
            append_field(&out, uri ? "URI" : "DNS", described.names[i].text, true);
        }
    }
    (void)buf_append(&out, "", 1, SIZE_MAX);
    char *text = mem_strdup((const char *)buf_data(&out));
    buf_deinit(&out);
    return text;
}

/* The first name of a kind, or NULL. */
static const char *first_name(const struct net_certificate *described, const char *kind)
{
    for (size_t i = 0; i < described->name_count; i++) {
        if (strcmp(described->names[i].kind, kind) == 0) {
            return described->names[i].text;
        }
    }
    return NULL;
}

char *net_tls_io_peer_name(const struct net_tls_io *io)
{
    const X509 *cert = SSL_get0_peer_certificate(net_tls_io_ssl(io));
    struct net_certificate described;
    if (cert == NULL) {
        return NULL;
    }
    describe(&described, cert);
    const char *name = first_name(&described, "uri");
    name = name != NULL ? name : first_name(&described, "dns");
    return mem_strdup(name != NULL ? name : described.subject);
}

const char *net_tls_io_version(const struct net_tls_io *io)
{
    return SSL_get_version(net_tls_io_ssl(io));
}
