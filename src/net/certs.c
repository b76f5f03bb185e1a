#include "net/certs.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DAY_S (24L * 60 * 60)
/* Clocks of peers may be a little behind. */
#define SKEW_S     (5L * 60)
#define PATH_BYTES 4200

/* What is made on the way; NULL until then. */
struct draft {
    EVP_PKEY *ca_key;
    EVP_PKEY *key;
    X509 *ca;
    X509 *cert;
};

static void draft_deinit(struct draft *draft)
{
    X509_free(draft->cert);
    X509_free(draft->ca);
    EVP_PKEY_free(draft->key);
    EVP_PKEY_free(draft->ca_key);
}

static int add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    int ok = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

static int set_random_serial(X509 *cert)
{
    BIGNUM *number = BN_new();
    int ok = number != NULL && BN_rand(number, 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
             BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
    BN_free(number);
    return ok;
}

/* A certificate for `key` named `name`, not signed yet. */
static X509 *certificate_new(EVP_PKEY *key, const char *name)
{
    X509 *cert = X509_new();
    if (cert == NULL) {
        return NULL;
    }
    X509_NAME *subject = X509_get_subject_name(cert);
    int ok = X509_set_version(cert, X509_VERSION_3) == 1 && set_random_serial(cert) &&
             X509_gmtime_adj(X509_getm_notBefore(cert), -SKEW_S) != NULL &&
             X509_gmtime_adj(X509_getm_notAfter(cert), DAY_S) != NULL &&
             X509_set_pubkey(cert, key) == 1 &&
             X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name,
                                        -1, -1, 0) == 1;
    if (!ok) {
        X509_free(cert);
        return NULL;
    }
    return cert;
}

static int make_ca(struct draft *draft)
{
    draft->ca_key = EVP_EC_gen("P-256");
    draft->ca = draft->ca_key != NULL ? certificate_new(draft->ca_key, "grpcroute demo CA") : NULL;
    return draft->ca != NULL &&
           X509_set_issuer_name(draft->ca, X509_get_subject_name(draft->ca)) == 1 &&
           add_extension(draft->ca, draft->ca, NID_basic_constraints, "critical,CA:TRUE") &&
           add_extension(draft->ca, draft->ca, NID_key_usage, "critical,keyCertSign") &&
           add_extension(draft->ca, draft->ca, NID_subject_key_identifier, "hash") &&
           X509_sign(draft->ca, draft->ca_key, EVP_sha256()) > 0;
}

static int make_cert(struct draft *draft)
{
    draft->key = EVP_EC_gen("P-256");
    draft->cert = draft->key != NULL ? certificate_new(draft->key, "localhost") : NULL;
    return draft->cert != NULL &&
           X509_set_issuer_name(draft->cert, X509_get_subject_name(draft->ca)) == 1 &&
           add_extension(draft->cert, draft->ca, NID_subject_alt_name,
                         "DNS:localhost,IP:127.0.0.1,IP:::1") &&
           add_extension(draft->cert, draft->ca, NID_ext_key_usage, "serverAuth") &&
           add_extension(draft->cert, draft->ca, NID_authority_key_identifier, "keyid") &&
           X509_sign(draft->cert, draft->ca_key, EVP_sha256()) > 0;
}

/* A new file of mode 0600; NULL with errno. */
static FILE *create(const char *dir, const char *name)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd >= 0 ? fdopen(fd, "w") : NULL;
}

static int write_cert(const char *dir, const char *name, X509 *cert)
{
    FILE *file = create(dir, name);
    if (file == NULL) {
        return 0;
    }
    int ok = PEM_write_X509(file, cert);
    return fclose(file) == 0 && ok;
}

static int write_key(const char *dir, const char *name, EVP_PKEY *key)
{
    FILE *file = create(dir, name);
    if (file == NULL) {
        return 0;
    }
    int ok = PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    return fclose(file) == 0 && ok;
}

int net_certs_generate(const char *dir, struct net_error *ret_error)
{
    struct draft draft = {0};
    int rv = -1;
    if (!make_ca(&draft) || !make_cert(&draft)) {
        net_error_set(ret_error, NET_FAILED, "cannot make certificates");
    } else if (!write_cert(dir, "ca.pem", draft.ca) || !write_cert(dir, "cert.pem", draft.cert) ||
               !write_key(dir, "key.pem", draft.key)) {
        net_error_set(ret_error, NET_FAILED, "cannot write certificates into %s: %s", dir,
                      strerror(errno));
    } else {
        rv = 0;
    }
    draft_deinit(&draft);
    return rv;
}
