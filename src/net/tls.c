/* TLS contexts. */
#include "net/tls.h"

#include "base/mem.h"
#include "net/tls_impl.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Empties OpenSSL's queue and returns its first reason. */
static const char *take_reason(unsigned long *ret_code)
{
    unsigned long code = ERR_peek_error();
    const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;

    ERR_clear_error();
    *ret_code = code;
    return text != NULL ? text : "unknown error";
}

/* Sets "WHAT FILE: why" for the failure that OpenSSL noted last. */
static void set_pem_error(struct net_error *error, const char *what, const char *file)
{
    unsigned long code;
    const char *reason = take_reason(&code);

    /* Keys are read by the decoders, which just find nothing they know. */
    if ((ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE) ||
        ERR_GET_LIB(code) == ERR_LIB_OSSL_DECODER) {
        reason = "it holds no such thing in PEM form";
    }
    net_error_set(error, NET_FAILED, "%s %s is not usable: %s", what, file, reason);
}

/* Finds out why a file cannot be read, in the system's words. Returns 0 or -1. */
static int check_readable(const char *file, const char *what, struct net_error *error)
{
    FILE *stream = fopen(file, "r");
    int byte = stream != NULL ? fgetc(stream) : EOF;
    int code = errno;

    if (stream == NULL || (byte == EOF && ferror(stream))) {
        net_error_set(error, NET_FAILED, "cannot read %s %s: %s", what, file, strerror(code));
    } else if (byte == EOF) {
        net_error_set(error, NET_FAILED, "%s %s is empty", what, file);
    }
    if (stream != NULL) {
        fclose(stream);
    }
    return byte == EOF ? -1 : 0;
}

struct passphrase {
    const char *text; /* NULL: there is none */
    bool asked;
};

/* OpenSSL would ask on the terminal. */
static int on_password(char *out, int out_bytes, int writing, void *arg)
{
    struct passphrase *passphrase = arg;
    size_t len = passphrase->text != NULL ? strlen(passphrase->text) : 0;

    (void)writing;
    passphrase->asked = true;
    if (len == 0 || len > (size_t)out_bytes) {
        return -1;
    }
    memcpy(out, passphrase->text, len);
    return (int)len;
}

/* Whether the file has a certificate of the key behind its first one. */
static bool has_later_certificate_of(const char *cert_file, SSL_CTX *ctx)
{
    EVP_PKEY *key = SSL_CTX_get0_privatekey(ctx);
    FILE *stream = key != NULL ? fopen(cert_file, "r") : NULL;
    bool found = false;
    X509 *cert;

    while (stream != NULL && !found && (cert = PEM_read_X509(stream, NULL, NULL, NULL)) != NULL) {
        found = X509_check_private_key(cert, key) == 1;
        X509_free(cert);
    }
    if (stream != NULL) {
        fclose(stream);
    }
    ERR_clear_error();
    return found;
}

/* The key is refused when it is loaded, or, where it is of another type, does not meet the
 * certificate at all. */
static void set_mismatch(const char *key_file, const char *cert_file, struct passphrase *passphrase,
                         struct net_error *error)
{
    SSL_CTX *alone = SSL_CTX_new(TLS_method());
    bool is_order = false;

    if (alone != NULL) {
        SSL_CTX_set_default_passwd_cb(alone, on_password);
        SSL_CTX_set_default_passwd_cb_userdata(alone, passphrase);
        is_order = SSL_CTX_use_PrivateKey_file(alone, key_file, SSL_FILETYPE_PEM) == 1 &&
                   has_later_certificate_of(cert_file, alone);
    }
    SSL_CTX_free(alone);
    ERR_clear_error();
    if (is_order) {
        net_error_set(error, NET_FAILED,
                      "certificate file %s is in the wrong order: the certificate of key file %s "
                      "must come first, then the authority that signed it",
                      cert_file, key_file);
    } else {
        net_error_set(error, NET_FAILED, "key file %s does not belong to the certificate",
                      key_file);
    }
}

static void set_encrypted_error(SSL_CTX *ctx, const char *file, const char *passphrase,
                                struct net_error *error)
{
    bool client = SSL_CTX_get_ssl_method(ctx) == TLS_client_method();

    ERR_clear_error();
    if (passphrase != NULL) {
        net_error_set(error, NET_FAILED, "key file %s does not open with the passphrase given",
                      file);
    } else if (client) {
        net_error_set(error, NET_FAILED,
                      "key file %s is encrypted: pass --key-passphrase-file FILE", file);
    } else {
        net_error_set(error, NET_FAILED,
                      "key file %s is encrypted: store it without a password (openssl pkey)", file);
    }
}

/* `text`: the passphrase, or NULL. */
static int load_key(SSL_CTX *ctx, const char *file, const char *cert_file, const char *text,
                    struct net_error *error)
{
    struct passphrase passphrase = {.text = text};
    int loaded;

    if (check_readable(file, "key file", error) != 0) {
        return -1;
    }
    SSL_CTX_set_default_passwd_cb(ctx, on_password);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, &passphrase);
    /* With a certificate already loaded this also compares the two. */
    loaded = SSL_CTX_use_PrivateKey_file(ctx, file, SSL_FILETYPE_PEM);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
    if (loaded == 1 && SSL_CTX_check_private_key(ctx) == 1) {
        return 0;
    }
    if (loaded == 1 || ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_X509) {
        ERR_clear_error();
        set_mismatch(file, cert_file, &passphrase, error);
    } else if (passphrase.asked) {
        set_encrypted_error(ctx, file, text, error);
    } else {
        set_pem_error(error, "key file", file);
    }
    return -1;
}

bool net_tls_is_expired(const struct net_tls *tls)
{
    const X509 *cert = SSL_CTX_get0_certificate(tls->ctx);

    return cert != NULL && X509_cmp_current_time(X509_get0_notAfter(cert)) < 0;
}

bool net_tls_is_early(const struct net_tls *tls)
{
    const X509 *cert = SSL_CTX_get0_certificate(tls->ctx);

    return cert != NULL && X509_cmp_current_time(X509_get0_notBefore(cert)) > 0;
}

int net_tls_check_dates(const struct net_tls *tls, const char *file, struct net_error *error)
{
    if (net_tls_is_expired(tls)) {
        net_error_set(error, NET_TLS_EXPIRED, "certificate file %s is expired: renew it", file);
        return -1;
    }
    return 0;
}

static int load_certificate(SSL_CTX *ctx, const char *file, struct net_error *error)
{
    if (check_readable(file, "certificate file", error) != 0) {
        return -1;
    }
    if (SSL_CTX_use_certificate_chain_file(ctx, file) != 1) {
        set_pem_error(error, "certificate file", file);
        return -1;
    }
    return 0;
}

static int load_authorities(SSL_CTX *ctx, const char *file, const char *what,
                            struct net_error *error)
{
    if (check_readable(file, what, error) != 0) {
        return -1;
    }
    if (SSL_CTX_load_verify_file(ctx, file) != 1) {
        set_pem_error(error, what, file);
        return -1;
    }
    /* An intermediate or the server's own certificate in the file is as good as a root, as in Go.
     */
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
    return 0;
}

static int load_trust(SSL_CTX *ctx, const char *cacert_file, struct net_error *error)
{
    const char *from_environment = getenv("SSL_CERT_FILE");

    if (cacert_file != NULL) {
        return load_authorities(ctx, cacert_file, "CA file", error);
    }
    /* OpenSSL would pass over a file that is not there. */
    if (from_environment != NULL && from_environment[0] != '\0' &&
        check_readable(from_environment, "CA file (SSL_CERT_FILE)", error) != 0) {
        return -1;
    }
    SSL_CTX_set_default_verify_paths(ctx);
    ERR_clear_error();
    return 0;
}

static struct net_tls *context_new(const SSL_METHOD *method)
{
    struct net_tls *tls = mem_new(struct net_tls);

    atomic_store(&tls->owners, 1);
    tls->ctx = SSL_CTX_new(method);
    if (tls->ctx == NULL) {
        abort(); /* no memory, as in mem_calloc() */
    }
    net_tls_policy_apply(tls->ctx);
    /* What is shown is what the file holds: filled up from the authorities that we trust, a chain
     * would pass here whose agents, which do not do that, are refused. */
    SSL_CTX_set_mode(tls->ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_msg_callback(tls->ctx, net_tls_io_on_message);
    return tls;
}

/* An expired certificate is shown, too: what becomes of it is for the peer to say. */
static int load_identity(SSL_CTX *ctx, const struct net_tls_client_config *config,
                         struct net_error *error)
{
    if (config->cert_file == NULL) {
        return 0;
    }
    return load_certificate(ctx, config->cert_file, error) != 0 ||
                   load_key(ctx, config->key_file, config->cert_file, config->passphrase, error) !=
                       0
               ? -1
               : 0;
}

struct net_tls *net_tls_client_new(const struct net_tls_client_config *config,
                                   struct net_error *ret_error)
{
    struct net_tls *tls = context_new(TLS_client_method());

    SSL_CTX_set_client_cert_cb(tls->ctx, net_tls_io_on_certificate_wanted);
    tls->verify = !config->skip_verify;
    if ((tls->verify && load_trust(tls->ctx, config->cacert_file, ret_error) != 0) ||
        load_identity(tls->ctx, config, ret_error) != 0) {
        net_tls_free(tls);
        return NULL;
    }
    return tls;
}

static int load_client_authorities(struct net_tls *tls, const struct net_tls_server_config *config,
                                   struct net_error *error)
{
    const char *file = config->client_ca_file;

    if (file == NULL) {
        return 0;
    }
    if (load_authorities(tls->ctx, file, "client CA file", error) != 0) {
        return -1;
    }
    if (net_tls_digest_file(file, tls->client_ca_digest) != 0) {
        net_error_set(error, NET_FAILED, "cannot read client CA file %s", file);
        return -1;
    }
    /* The names that clients choose a certificate by. */
    SSL_CTX_set_client_CA_list(tls->ctx, SSL_load_client_CA_file(file));
    ERR_clear_error();
    tls->client_verify =
        SSL_VERIFY_PEER | (config->client_cert_optional ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
    return 0;
}

struct net_tls *net_tls_server_new(const struct net_tls_server_config *config,
                                   struct net_error *ret_error)
{
    struct net_tls *tls = context_new(TLS_server_method());

    tls->server = true;
    tls->file = mem_strdup(config->cert_file);
    SSL_CTX_set_client_hello_cb(tls->ctx, net_tls_io_on_client_hello, NULL);
    SSL_CTX_set_alpn_select_cb(tls->ctx, net_tls_io_on_alpn, NULL);
    if (load_certificate(tls->ctx, config->cert_file, ret_error) != 0 ||
        net_tls_check_dates(tls, config->cert_file, ret_error) != 0 ||
        load_key(tls->ctx, config->key_file, config->cert_file, NULL, ret_error) != 0 ||
        load_client_authorities(tls, config, ret_error) != 0) {
        net_tls_free(tls);
        return NULL;
    }
    return tls;
}

struct net_tls *net_tls_ref(struct net_tls *tls)
{
    if (tls != NULL) {
        atomic_fetch_add(&tls->owners, 1);
    }
    return tls;
}

void net_tls_free(struct net_tls *tls)
{
    if (tls == NULL || atomic_fetch_sub(&tls->owners, 1) > 1) {
        return;
    }
    SSL_CTX_free(tls->ctx);
    free(tls->file);
    free(tls);
}
