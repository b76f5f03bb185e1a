#include "rpc/backoff.h"

void rpc_backoff_init(struct rpc_backoff *backoff, uint64_t max_ms)
{
    backoff->base_ms = 0;
    backoff->max_ms = max_ms != 0 ? max_ms : RPC_BACKOFF_MAX_MS;
}

uint64_t rpc_backoff_next_ms(struct rpc_backoff *backoff, double unit)
{
    double base =
        backoff->base_ms == 0 ? RPC_BACKOFF_INITIAL_MS : backoff->base_ms * RPC_BACKOFF_MULTIPLIER;
    if (base > (double)backoff->max_ms) {
        base = (double)backoff->max_ms;
    }
    backoff->base_ms = base;
    return (uint64_t)(base * (1 - RPC_BACKOFF_JITTER + 2 * RPC_BACKOFF_JITTER * unit));
}

void rpc_backoff_reset(struct rpc_backoff *backoff)
{
    backoff->base_ms = 0;
}
