/* What happens to streams and clients in numbers, such as misroutes and refusals, as events of the
 * proxy: looked for in its counters now and then, so that none of it costs anything when it
 * happens. */
#ifndef GRPCROUTE_ADMIN_INCIDENTS_H
#define GRPCROUTE_ADMIN_INCIDENTS_H

#include <stdint.h>

#define INCIDENT_KINDS 10

struct relay;

/* Zeroed memory: nothing was counted yet. */
struct incidents {
    uint64_t seen[INCIDENT_KINDS];
};

/* Tells of what was counted since the last call. */
void incidents_look(struct incidents *incidents, struct relay *relay);

#endif
