/* A socket that listens on an address, as everything that serves here opens it. */
#ifndef GRPCROUTE_NET_LISTEN_SOCKET_H
#define GRPCROUTE_NET_LISTEN_SOCKET_H

#include "base/text.h"
#include "net/error.h"
#include "net/resolve.h"

#include <stdint.h>

/* Binds and listens, non-blocking; an empty host means all interfaces, IPv6 and IPv4, and a name is
 * looked up here and now: call it before the loop runs. Returns a descriptor (owned by the caller),
 * or -1 with a sentence such as "address 127.0.0.1:8443 is already in use: ...". */
int net_listen_socket(const struct text_address *address, struct net_error *ret_error);

/* Writes what the socket is bound to, "HOST:PORT", and returns the port. */
uint16_t net_listen_name(int fd, char out[static NET_ADDRESS_TEXT_BYTES]);

#endif
