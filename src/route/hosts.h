/* Which candidates a request for a host has, in their order. Inside route/ only; pure. */
#ifndef GRPCROUTE_ROUTE_HOSTS_H
#define GRPCROUTE_ROUTE_HOSTS_H

struct route_table;

/* Fills the hosts of a table whose rules are complete. Returns 0, or 1 when they have more than
 * ROUTE_CANDIDATES_MAX candidates together. */
int route_hosts_derive(struct route_table *table);

#endif
