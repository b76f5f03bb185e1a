/* Versions of the libraries below, as loaded. */
#ifndef GRPCROUTE_NET_VERSION_H
#define GRPCROUTE_NET_VERSION_H

const char *net_openssl_version(void); /* "3.0.15" */
const char *net_libuv_version(void);   /* "1.44.2" */

#endif
