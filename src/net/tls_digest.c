/* Files of TLS, told apart by what they hold. */
#include "net/tls_impl.h"

#include "base/file.h"

#include <openssl/evp.h>
#include <stdlib.h>

/* Of a file, a bundle of authorities for one, as far as it is compared. */
#define TLS_FILE_BYTES ((size_t)4 * 1024 * 1024)

int net_tls_digest_file(const char *file, unsigned char out[static NET_TLS_DIGEST_BYTES])
{
    char *bytes;
    size_t len;

    if (file_read(file, TLS_FILE_BYTES, &bytes, &len) != 0) {
        return -1;
    }
    EVP_Digest(bytes, len, out, NULL, EVP_sha256(), NULL);
    OPENSSL_cleanse(bytes, len); /* may be a key */
    free(bytes);
    return len <= TLS_FILE_BYTES ? 0 : -1;
}
