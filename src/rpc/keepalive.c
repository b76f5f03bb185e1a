#include "rpc/keepalive.h"

#include "h2/limits.h"

#include <assert.h>

uint64_t rpc_tick_counts_ms(uint64_t *ticked_ms, uint64_t now_ms)
{
    assert(now_ms >= *ticked_ms);
    uint64_t passed = now_ms - *ticked_ms;
    *ticked_ms = now_ms;
    return passed > H2_STOOD_STILL_MS ? RPC_TICK_COUNTS_MS : passed;
}

void rpc_keepalive_init(struct rpc_keepalive *keepalive, uint64_t interval_ms, uint64_t timeout_ms,
                        uint64_t now_ms)
{
    assert(timeout_ms > 0);
    *keepalive = (struct rpc_keepalive){
        .interval_ms = interval_ms,
        .timeout_ms = timeout_ms,
        .ping = RPC_PING_NONE,
        .read_ms = now_ms,
        .ticked_ms = now_ms,
    };
}

static enum rpc_keepalive_act send_ping(struct rpc_keepalive *keepalive, uint64_t now_ms)
{
    assert(keepalive->ping != RPC_PING_SENT);
    keepalive->ping = RPC_PING_SENT;
    keepalive->ping_ms = now_ms;
    keepalive->waited_ms = 0;
    keepalive->check_asked = false;
    return RPC_KEEPALIVE_PING;
}

void rpc_keepalive_ack(struct rpc_keepalive *keepalive)
{
    if (keepalive->ping == RPC_PING_SENT) { /* else a byte before it was the answer */
        keepalive->ping = RPC_PING_ANSWERED;
    }
}

void rpc_keepalive_read(struct rpc_keepalive *keepalive, uint64_t now_ms)
{
    assert(now_ms >= keepalive->read_ms);
    keepalive->read_ms = now_ms;
    keepalive->check_asked = false;
    rpc_keepalive_ack(keepalive);
}

static bool may_check(const struct rpc_keepalive *keepalive, uint64_t now_ms)
{
    return keepalive->ping == RPC_PING_NONE || now_ms - keepalive->ping_ms >= RPC_CHECK_GAP_MS;
}

enum rpc_keepalive_act rpc_keepalive_check(struct rpc_keepalive *keepalive, uint64_t now_ms)
{
    if (keepalive->ping == RPC_PING_SENT) {
        return RPC_KEEPALIVE_NOTHING;
    }
    if (may_check(keepalive, now_ms)) {
        return send_ping(keepalive, now_ms);
    }
    keepalive->check_asked = true;
    return RPC_KEEPALIVE_NOTHING;
}

static enum rpc_keepalive_act wait_for_answer(struct rpc_keepalive *keepalive, uint64_t now_ms,
                                              uint64_t counts_ms)
{
    uint64_t since_ping = now_ms - keepalive->ping_ms;
    keepalive->waited_ms += counts_ms < since_ping ? counts_ms : since_ping;
    return keepalive->waited_ms >= keepalive->timeout_ms ? RPC_KEEPALIVE_DEAD
                                                         : RPC_KEEPALIVE_NOTHING;
}

enum rpc_keepalive_act rpc_keepalive_tick(struct rpc_keepalive *keepalive, uint64_t now_ms,
                                          bool wanted, bool blocked)
{
    uint64_t counts_ms = rpc_tick_counts_ms(&keepalive->ticked_ms, now_ms);
    if (keepalive->ping == RPC_PING_SENT) {
        return wait_for_answer(keepalive, now_ms, blocked ? 0 : counts_ms);
    }
    bool quiet =
        keepalive->interval_ms != 0 && now_ms - keepalive->read_ms >= keepalive->interval_ms;
    bool checks = keepalive->check_asked && may_check(keepalive, now_ms);
    return (wanted && quiet) || checks ? send_ping(keepalive, now_ms) : RPC_KEEPALIVE_NOTHING;
}

bool rpc_ping_policy_allows(struct rpc_ping_policy *policy, uint64_t now_ms, bool busy,
                            bool at_once)
{
    bool early = policy->pinged && !at_once && now_ms - policy->ping_ms < policy->min_interval_ms;
    policy->pinged = !at_once; /* the next one cannot be measured against it, either */
    policy->ping_ms = now_ms;
    if (busy) {
        policy->strikes = 0;
    } else if (early) {
        policy->strikes++;
    }
    return policy->strikes <= RPC_PING_STRIKES;
}
