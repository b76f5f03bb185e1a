/* Which worker gets a connection: the one that has the fewest.
 *
 * Agents connect once and stay for days, so chance does not even out: the kernel's (SO_REUSEPORT)
 * puts forty connections on four workers anyhow. One worker accepts for all, and as long as
 * connections only come, none has more than one more than another; after some have left, those that
 * come fill the gaps. */
#ifndef GRPCROUTE_RELAY_BALANCE_H
#define GRPCROUTE_RELAY_BALANCE_H

struct relay;

/* Gives an accepted descriptor, which is moved in, to a worker; on worker 0's thread. */
void balance_connection(struct relay *relay, int fd);

#endif
