/* Memory of OpenSSL: what a connection's SSL is made with, nearly all of it zeros once the
 * handshake is over, lies in pieces that can be put away while the connection is quiet. */
#ifndef GRPCROUTE_NET_TLS_MEMORY_H
#define GRPCROUTE_NET_TLS_MEMORY_H

#include "base/sparse.h"

#include <openssl/ssl.h>

/* SSL_new(); `ret_pieces`, which the caller owns with it, gets the large ones, or stays empty where
 * net_tls_rest_enable() was not called in time. NULL: no memory. */
SSL *net_tls_memory_new(SSL_CTX *ctx, struct sparse *ret_pieces);
/* SSL_free(), whether the pieces are away or not. */
void net_tls_memory_free(SSL *ssl, struct sparse *pieces);

#endif
