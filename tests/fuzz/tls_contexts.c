#include "tls_contexts.h"

#include "fuzz.h"

#include "base/mem.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/mman.h>
#include <unistd.h>

#define DAY_S (24L * 60 * 60)

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    FUZZ_CHECK(extension != NULL && X509_add_ext(cert, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static X509 *make_cert(EVP_PKEY *key)
{
    X509 *cert = X509_new();
    FUZZ_CHECK(cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1 &&
               ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) == 1 &&
               X509_gmtime_adj(X509_getm_notBefore(cert), -DAY_S) != NULL &&
               X509_gmtime_adj(X509_getm_notAfter(cert), DAY_S) != NULL &&
               X509_set_pubkey(cert, key) == 1);
    return cert;
}

/* A file without a name, for who wants one; it goes with the process. */
static void open_file(char path[static 64], EVP_PKEY *key, X509 *cert)
{
    int fd = memfd_create("tls", MFD_CLOEXEC);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    FUZZ_CHECK(file != NULL);
    FUZZ_CHECK((key != NULL ? PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL)
                            : PEM_write_X509(file, cert)) == 1);
    FUZZ_CHECK(fflush(file) == 0);
    snprintf(path, 64, "/proc/self/fd/%d", fd);
}

void tls_contexts_init(struct tls_contexts *contexts)
{
    struct net_error error;
    char key_file[64];
    char cert_file[64];
    contexts->key = EVP_EC_gen("P-256");
    contexts->other_key = EVP_EC_gen("P-256");
    FUZZ_CHECK(contexts->key != NULL && contexts->other_key != NULL);
    contexts->cert = make_cert(contexts->key);
    X509_NAME *name = X509_get_subject_name(contexts->cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"fuzz", -1, -1, 0);
    FUZZ_CHECK(X509_set_issuer_name(contexts->cert, name) == 1);
    add_extension(contexts->cert, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(contexts->cert, NID_subject_alt_name, "DNS:" TLS_CONTEXTS_NAME);
    FUZZ_CHECK(X509_sign(contexts->cert, contexts->key, EVP_sha256()) > 0);
    open_file(key_file, contexts->key, NULL);
    open_file(cert_file, NULL, contexts->cert);
    for (int i = 0; i < 2; i++) {
        const struct net_tls_server_config server = {.cert_file = cert_file,
                                                     .key_file = key_file,
                                                     .client_ca_file = i == 1 ? cert_file : NULL};
        const struct net_tls_client_config client = {.cacert_file = cert_file,
                                                     .cert_file = i == 1 ? cert_file : NULL,
                                                     .key_file = i == 1 ? key_file : NULL};
        contexts->servers[i] = net_tls_server_new(&server, &error);
        contexts->clients[i] = net_tls_client_new(&client, &error);
        FUZZ_CHECK(contexts->servers[i] != NULL && contexts->clients[i] != NULL);
    }
}

/* Whatever the bytes are: an authority may sign what it has not looked at. */
static void add_name(X509 *cert, int type, const uint8_t *bytes, size_t len)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    FUZZ_CHECK(names != NULL && name != NULL && text != NULL);
    FUZZ_CHECK(ASN1_STRING_set(text, bytes, (int)len) == 1);
    GENERAL_NAME_set0_value(name, type, text);
    FUZZ_CHECK(sk_GENERAL_NAME_push(names, name) == 1);
    FUZZ_CHECK(X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0) == 1);
    GENERAL_NAMES_free(names);
}

/* In an alphabet that takes any bytes where they are no UTF-8; none where there are too many. */
static void add_common_name(X509_NAME *subject, const uint8_t *bytes, int len)
{
    static const int types[] = {V_ASN1_UTF8STRING, V_ASN1_T61STRING};
    for (size_t i = 0; i < ARRAY_SIZE(types) && len > 0; i++) {
        if (X509_NAME_add_entry_by_NID(subject, NID_commonName, types[i], bytes, len, -1, 0) == 1) {
            if (i2d_X509_NAME(subject, NULL) > 0) {
                return;
            }
            X509_NAME_ENTRY_free(X509_NAME_delete_entry(subject, 0));
        }
    }
    ERR_clear_error();
}

void tls_contexts_name(const struct tls_contexts *contexts, SSL *ssl, bool self_signed,
                       const uint8_t *bytes, size_t len)
{
    EVP_PKEY *key = self_signed ? contexts->other_key : contexts->key;
    X509 *cert = make_cert(key);
    X509_NAME *subject = X509_get_subject_name(cert);
    len = len < 256 ? len : 256;
    add_common_name(subject, bytes, (int)len);
    if (len > 0 && bytes[0] % 3 != 0) {
        add_name(cert, bytes[0] % 3 == 1 ? GEN_DNS : GEN_URI, bytes, len);
    }
    FUZZ_CHECK(X509_set_issuer_name(
                   cert, self_signed ? subject : X509_get_subject_name(contexts->cert)) == 1);
    FUZZ_CHECK(X509_sign(cert, key, EVP_sha256()) > 0);
    FUZZ_CHECK(SSL_use_certificate(ssl, cert) == 1 && SSL_use_PrivateKey(ssl, key) == 1);
    X509_free(cert);
}
