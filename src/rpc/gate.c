#include "rpc/gate.h"

#include "base/mem.h"

#include <assert.h>

void rpc_gate_init(struct rpc_gate *gate, size_t limit)
{
    assert(limit > 0);
    *gate = (struct rpc_gate){.limit = limit};
    list_init(&gate->waiting);
}

bool rpc_gate_enter(struct rpc_gate *gate, struct rpc_gate_turn *turn,
                    void (*on_turn)(struct rpc_gate_turn *turn))
{
    assert(turn->gate == NULL);
    *turn = (struct rpc_gate_turn){.gate = gate, .on_turn = on_turn};
    list_init(&turn->node);
    turn->inside = gate->inside < gate->limit;
    gate->inside += turn->inside;
    if (!turn->inside) {
        list_append(&gate->waiting, &turn->node);
    }
    return turn->inside;
}

/* Who comes in may leave at once, and lets the one behind it in. */
static void let_in(struct rpc_gate *gate)
{
    while (gate->inside < gate->limit && !list_empty(&gate->waiting)) {
        struct rpc_gate_turn *next = container_of(gate->waiting.next, struct rpc_gate_turn, node);
        list_remove(&next->node);
        next->inside = true;
        gate->inside++;
        next->on_turn(next);
    }
}

void rpc_gate_leave(struct rpc_gate_turn *turn)
{
    struct rpc_gate *gate = turn->gate;
    if (gate == NULL) {
        return;
    }
    list_remove(&turn->node);
    gate->inside -= turn->inside;
    turn->gate = NULL;
    let_in(gate);
}
