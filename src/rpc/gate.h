/* How many connections may be in the making at once.
 *
 * Thousands that begin in one moment wait for each other, here and at the server, until they reach
 * limits that are meant for a peer that does not answer. So a few are made at a time, and the limit
 * of each begins with its turn. */
#ifndef GRPCROUTE_RPC_GATE_H
#define GRPCROUTE_RPC_GATE_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>

struct rpc_gate {
    size_t limit; /* above 0 */
    size_t inside;
    struct list waiting;
};

/* Somebody who wants through; a zeroed one is not at the gate. */
struct rpc_gate_turn {
    struct list node;
    struct rpc_gate *gate; /* borrowed; NULL: not there */
    bool inside;
    void (*on_turn)(struct rpc_gate_turn *turn);
};

void rpc_gate_init(struct rpc_gate *gate, size_t limit);

/* Returns true when it is inside at once. Else on_turn() says so, in the order of arrival, from
 * within rpc_gate_leave() of another. Both are borrowed until rpc_gate_leave(). */
bool rpc_gate_enter(struct rpc_gate *gate, struct rpc_gate_turn *turn,
                    void (*on_turn)(struct rpc_gate_turn *turn));
/* Makes room, or waits no more. Repeats are harmless. */
void rpc_gate_leave(struct rpc_gate_turn *turn);

#endif
