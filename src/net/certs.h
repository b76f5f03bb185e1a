/* Throw-away certificates for a topology on this machine: a CA and a server certificate signed by
 * it. */
#ifndef GRPCROUTE_NET_CERTS_H
#define GRPCROUTE_NET_CERTS_H

#include "net/error.h"

/* Writes ca.pem, cert.pem and key.pem (mode 0600) into `dir`: ECDSA P-256, one day, for localhost,
 * 127.0.0.1 and ::1. Returns 0, or -1 with `ret_error`. */
int net_certs_generate(const char *dir, struct net_error *ret_error);

#endif
