/* A server's context once more: shared while its files hold the same, for OpenSSL takes
 * milliseconds to make one, in which a loop stands still. */
#include "net/tls.h"

#include "base/mem.h"
#include "net/tls_impl.h"

#include <openssl/evp.h>
#include <string.h>

/* What a server's context is made of. Returns 0 or -1. */
static int digest_config(const struct net_tls_server_config *config,
                         unsigned char out[static NET_TLS_DIGEST_BYTES])
{
    unsigned char all[3 * NET_TLS_DIGEST_BYTES + 1] = {0};
    const char *files[] = {config->cert_file, config->key_file, config->client_ca_file};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        if (files[i] != NULL &&
            net_tls_digest_file(files[i], all + i * NET_TLS_DIGEST_BYTES) != 0) {
            return -1;
        }
    }
    all[sizeof(all) - 1] = config->client_cert_optional;
    EVP_Digest(all, sizeof(all), out, NULL, EVP_sha256(), NULL);
    return 0;
}

/* Files that changed while they were loaded are not known. */
static struct net_tls *load_server(const struct net_tls_server_config *config,
                                   const unsigned char *digest, struct net_error *ret_error)
{
    struct net_tls *tls = net_tls_server_new(config, ret_error);
    if (tls != NULL && digest != NULL && digest_config(config, tls->files_digest) == 0) {
        tls->has_files = memcmp(digest, tls->files_digest, NET_TLS_DIGEST_BYTES) == 0;
    }
    return tls;
}

struct net_tls *net_tls_server_renew(struct net_tls *current,
                                     const struct net_tls_server_config *config,
                                     struct net_error *ret_error)
{
    unsigned char digest[NET_TLS_DIGEST_BYTES];
    if (digest_config(config, digest) != 0) {
        return load_server(config, NULL, ret_error);
    }
    if (current == NULL || !current->has_files ||
        memcmp(digest, current->files_digest, NET_TLS_DIGEST_BYTES) != 0) {
        return load_server(config, digest, ret_error);
    }
    return net_tls_check_dates(current, config->cert_file, ret_error) == 0 ? net_tls_ref(current)
                                                                           : NULL;
}
