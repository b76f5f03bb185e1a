#include "limits/ground.h"

#include "base/clock.h"

#include <string.h>

void limits_ground_init(struct limits_ground *ground, const struct role_target *target,
                        uint64_t within_ns)
{
    ground->target = target;
    ground->within_ns = within_ns;
    ground->started_ns = clock_now_ns();
    rpc_gate_init(&ground->gate, LIMITS_CONNECTIONS);
    rpc_gate_init(&ground->askers, LIMITS_ASKERS);
}

uint64_t limits_ground_now_ns(const struct limits_ground *ground)
{
    return clock_now_ns() - ground->started_ns;
}

static bool stood_of_late(const struct limits_ground *ground, uint64_t now_ns)
{
    return now_ns < ground->stood_at_ns + LIMITS_CATCH_UP_MS * NS_PER_MS;
}

void limits_ground_turn(struct limits_ground *ground)
{
    uint64_t now_ns = limits_ground_now_ns(ground);
    uint64_t stood_ns = now_ns - ground->turned_ns;
    if (stood_ns >= ground->stood_ns || !stood_of_late(ground, now_ns)) {
        ground->stood_ns = stood_ns;
        ground->stood_at_ns = now_ns;
    }
    ground->turned_ns = now_ns;
}

/* Timers run before sockets are read: after a standstill the tick comes first, so that what it saw
 * counts for what is read right behind it. */
uint64_t limits_ground_blur_ns(const struct limits_ground *ground)
{
    uint64_t now_ns = limits_ground_now_ns(ground);
    uint64_t since_ns = now_ns - ground->turned_ns;
    uint64_t stood_ns = stood_of_late(ground, now_ns) ? ground->stood_ns : 0;
    uint64_t tick_ns = LIMITS_TICK_MS * NS_PER_MS;
    stood_ns = since_ns > stood_ns ? since_ns : stood_ns;
    return stood_ns > tick_ns ? stood_ns : tick_ns;
}

void limits_ground_note_peer(struct limits_ground *ground, const char *local, const char *peer)
{
    if (local[0] == '\0' || peer[0] == '\0') {
        return;
    }
    bool same = strcmp(local, peer) == 0;
    ground->came_from_here += same;
    ground->came_from_other += !same;
}

bool limits_ground_is_direct(const struct limits_ground *ground)
{
    return ground->came_from_here > 0 && ground->came_from_other == 0;
}

uint64_t limits_ground_stagger_ns(const struct limits_ground *ground)
{
    uint64_t share_ns = ground->within_ns / LIMITS_STAGGER_SHARE;
    uint64_t least_ns = LIMITS_STAGGER_MIN_MS * NS_PER_MS;
    return share_ns > least_ns ? share_ns : least_ns;
}
