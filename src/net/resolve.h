/* All addresses of a name, by getaddrinfo beside the loop (honours /etc/hosts and search
 * domains, as pods need). */
#ifndef GRPCROUTE_NET_RESOLVE_H
#define GRPCROUTE_NET_RESOLVE_H

#include "net/error.h"
#include "net/loop.h"

#include <stddef.h>
#include <sys/socket.h>

#define NET_RESOLVE_MAX        4096 /* addresses kept of one name; a DNS message holds no more */
#define NET_ADDRESS_TEXT_BYTES 64   /* "[IPv6%scope]:port" */

struct net_resolve;

/* Exactly once, never before net_resolve_start() returns; `addresses` are sorted, without
 * duplicates, carry the port, and are borrowed until the return; count 0 comes with `error`, and
 * addresses do when there are more than NET_RESOLVE_MAX, so that it can be said. */
typedef void (*net_resolve_done_fn)(void *user, const struct sockaddr_storage *addresses,
                                    size_t count, const struct net_error *error);

struct net_resolve *net_resolve_start(struct net_loop *loop, const char *host, uint16_t port,
                                      net_resolve_done_fn on_done, void *user);

/* on_done will not be called. */
void net_resolve_cancel(struct net_resolve *resolve);

/* "1.2.3.4:5" or "[::1]:5" into `out`. Returns `out`. */
char *net_address_format(const struct sockaddr *address, char out[static NET_ADDRESS_TEXT_BYTES]);

#endif
