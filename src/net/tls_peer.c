/* Until when the peer's certificates are good. */
#include "net/tls_io.h"

#include "net/tls_impl.h"
#include "net/tls_io_impl.h"

#include <openssl/x509.h>

bool net_tls_io_peer_expiry(const struct net_tls_io *io, struct net_expiry *ret_expiry)
{
    const X509 *leaf = SSL_get0_peer_certificate(net_tls_io_ssl(io));
    /* What was verified ends with the authority; unverified, there is only what the peer sent. */
    STACK_OF(X509) *chain = SSL_get0_verified_chain(net_tls_io_ssl(io));
    chain = chain != NULL ? chain : SSL_get_peer_cert_chain(net_tls_io_ssl(io));
    if (leaf == NULL) {
        return false;
    }
    ret_expiry->leaf_s = ret_expiry->chain_s = net_tls_date_s(X509_get0_notAfter(leaf));
    for (int i = 0; i < sk_X509_num(chain); i++) {
        int64_t end_s = net_tls_date_s(X509_get0_notAfter(sk_X509_value(chain, i)));
        ret_expiry->chain_s = end_s < ret_expiry->chain_s ? end_s : ret_expiry->chain_s;
    }
    return true;
}
