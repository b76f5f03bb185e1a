#include "relay/balance.h"

#include "net/listener.h"
#include "relay/state.h"

#include <unistd.h>

/* Of equals the next in turn, so that short connections wear all alike. */
static struct worker *find_emptiest(struct relay *relay)
{
    struct worker *best = NULL;
    unsigned fewest = 0;
    for (unsigned i = 0; i < relay->worker_count; i++) {
        struct worker *worker = &relay->workers[(relay->next_worker + i) % relay->worker_count];
        unsigned connections = atomic_load(&worker->connections);
        if (best == NULL || connections < fewest) {
            best = worker;
            fewest = connections;
        }
    }
    return best;
}

void balance_connection(struct relay *relay, int fd)
{
    struct worker *worker = find_emptiest(relay);
    relay->next_worker = worker->index + 1;
    atomic_fetch_add(&worker->connections, 1);
    if (worker->index == 0) {
        net_listener_take(worker->listener, fd);
    } else if (!inbox_give(&worker->inbox, fd)) { /* it has ended, and so will the others */
        close(fd);
        worker_connection_gone(worker);
    }
}
