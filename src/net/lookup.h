/* getaddrinfo() beside the loop. Not on libuv's thread pool: its threads are joined at exit, and a
 * name server that does not answer would then hold a program that was told to end. */
#ifndef GRPCROUTE_NET_LOOKUP_H
#define GRPCROUTE_NET_LOOKUP_H

#include <netdb.h>
#include <uv.h>

/* Lookups of the process that run at a time; more wait. */
#define NET_LOOKUP_THREADS 4

struct net_lookup;

/* Exactly once, from the loop; the lookup is gone when it returns. `status` is 0 with a list that
 * is borrowed until the return, or an EAI_ code (netdb.h), with errno for EAI_SYSTEM. */
typedef void (*net_lookup_done_fn)(void *user, int status, const struct addrinfo *list);

/* Looks up the stream addresses of `host`, IPv4 and IPv6. Cannot fail. */
struct net_lookup *net_lookup_start(uv_loop_t *loop, const char *host, net_lookup_done_fn on_done,
                                    void *user);

/* on_done will not be called; a call that already runs is left to itself. */
void net_lookup_cancel(struct net_lookup *lookup);

#endif
