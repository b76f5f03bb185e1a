#include "net/version.h"

#include <openssl/crypto.h>
#include <uv.h>

const char *net_openssl_version(void)
{
    return OpenSSL_version(OPENSSL_VERSION_STRING);
}

const char *net_libuv_version(void)
{
    return uv_version_string();
}
